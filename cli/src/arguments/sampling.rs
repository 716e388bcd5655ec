//! How tokens are chosen: an argument for each option of the engine's own table.

use clap::{Arg, ArgAction, ArgGroup, ArgMatches, Args, Command, Error, FromArgMatches, Id};
use inglenook::engine::request::{OptionKind, SamplingOption, sampling_options};
use serde_json::{Map, Value, json};

/// How tokens are chosen, and where an answer ends: the fields of a request.
#[derive(Debug, Clone, Default)]
pub struct SamplingArguments(Map<String, Value>);

const NAME: &str = "SamplingArguments";

impl SamplingArguments {
    /// Puts them into a request's fields.
    pub fn add_to(&self, fields: &mut Map<String, Value>) {
        fields.extend(self.0.clone());
    }
}

impl Args for SamplingArguments {
    fn group_id() -> Option<Id> {
        Some(NAME.into())
    }

    fn augment_args(command: Command) -> Command {
        let arguments: Vec<Arg> = sampling_options().iter().filter_map(argument).collect();
        let ids: Vec<Id> = arguments.iter().map(|argument| argument.get_id().clone()).collect();
        command.group(ArgGroup::new(NAME).multiple(true).args(ids)).args(arguments)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for SamplingArguments {
    fn from_arg_matches(matches: &ArgMatches) -> Result<SamplingArguments, Error> {
        let mut arguments = SamplingArguments::default();
        arguments.update_from_arg_matches(matches)?;
        Ok(arguments)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        for option in sampling_options().iter().filter(|option| option.argument().is_some()) {
            if let Some(value) = value(option, matches) {
                self.0.insert(option.name.clone(), value);
            }
        }
        Ok(())
    }
}

fn argument(option: &'static SamplingOption) -> Option<Arg> {
    let long = option.argument()?;
    let again = if is_repeated(option) { "; may be given several times" } else { "" };
    let mut argument = Arg::new(option.name.as_str())
        .long(&*long.leak())
        .help(format!("{}{again} [default: {}]", option.help, option.default_text()))
        .help_heading("Sampling");
    if let Some(name) = &option.value_name {
        argument = argument.value_name(name.as_str());
    }
    if let Some(short) = option.short {
        argument = argument.short(short);
    }
    Some(match option.kind {
        OptionKind::Boolean => argument.action(ArgAction::SetTrue),
        OptionKind::Texts => argument.action(ArgAction::Append),
        OptionKind::Biases => argument.action(ArgAction::Append).value_parser(bias),
        OptionKind::Number => argument.allow_negative_numbers(true).value_parser(number),
        OptionKind::Integer | OptionKind::Seed => {
            argument.allow_negative_numbers(true).value_parser(move |text: &str| whole_number(option, text))
        }
    })
}

fn is_repeated(option: &SamplingOption) -> bool {
    matches!(option.kind, OptionKind::Texts | OptionKind::Biases)
}

/// What was given for an option.
fn value(option: &SamplingOption, matches: &ArgMatches) -> Option<Value> {
    let name = option.name.as_str();
    match option.kind {
        OptionKind::Boolean => matches.get_flag(name).then(|| json!(true)),
        OptionKind::Texts => Some(json!(matches.get_many::<String>(name)?.collect::<Vec<_>>())),
        OptionKind::Biases => {
            let biases = matches.get_many::<(u32, f32)>(name)?;
            Some(biases.map(|(id, bias)| (id.to_string(), json!(bias))).collect::<Map<_, _>>().into())
        }
        OptionKind::Number | OptionKind::Integer | OptionKind::Seed => matches.get_one::<Value>(name).cloned(),
    }
}

fn number(text: &str) -> Result<Value, String> {
    let number: f64 = text.parse().map_err(|_| format!("`{text}` is no number"))?;
    serde_json::Number::from_f64(number).map(Value::Number).ok_or_else(|| format!("`{text}` is no finite number"))
}

fn whole_number(option: &SamplingOption, text: &str) -> Result<Value, String> {
    let negative = || text.parse::<i64>().map(Value::from);
    let value = text.parse::<u64>().map(Value::from).or_else(|_| negative());
    let value = value.map_err(|_| format!("`{text}` is no whole number"))?;
    match option.meanings.contains_key(text) || value.as_f64().is_some_and(|number| option.holds(number)) {
        true => Ok(value),
        false => Err(format!("it must be {}", option.range())),
    }
}

fn bias(text: &str) -> Result<(u32, f32), String> {
    let wanted = || format!("`{text}` is no ID=BIAS, such as 1734=-100");
    let (id, bias) = text.split_once('=').ok_or_else(wanted)?;
    Ok((id.trim().parse().map_err(|_| wanted())?, bias.trim().parse().map_err(|_| wanted())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(arguments: &[&str]) -> Value {
        let command = SamplingArguments::augment_args(Command::new("run").no_binary_name(true));
        let matches = command.try_get_matches_from(arguments).expect("arguments");
        let mut fields = Map::new();
        SamplingArguments::from_arg_matches(&matches).expect("values").add_to(&mut fields);
        fields.into()
    }

    #[test]
    fn a_bias_is_a_token_and_a_number() {
        assert_eq!(bias("12=-3.5"), Ok((12, -3.5)));
        assert!(bias("12").is_err_and(|message| message.contains("ID=BIAS")));
        assert!(bias("a=1").is_err() && bias("1=a").is_err());
    }

    #[test]
    fn arguments_are_the_fields_of_requests() {
        let given = ["-n", "5", "--temperature", "-1", "--dry-multiplier", "0.8", "--top-k", "-1", "--ignore-eos"];
        let wanted = json!({
            "max_tokens": 5, "temperature": -1.0, "dry_multiplier": 0.8, "top_k": -1, "ignore_eos": true
        });
        assert_eq!(fields(&given), wanted);
        let given = [
            "--stop",
            "a",
            "--stop",
            "b",
            "--logit-bias",
            "7=-100",
            "--logit-bias",
            "8=2",
            "--seed",
            "18446744073709551615",
        ];
        let wanted = json!({"stop": ["a", "b"], "logit_bias": {"7": -100.0, "8": 2.0}, "seed": u64::MAX});
        assert_eq!(fields(&given), wanted);
        assert_eq!(fields(&[]), json!({}));
    }

    #[test]
    fn the_help_tells_what_is_sampled_where_nothing_is_said() {
        let mut command = SamplingArguments::augment_args(Command::new("run"));
        let help = command.render_long_help().to_string().split_whitespace().collect::<Vec<_>>().join(" ");
        for told in ["--top-p <P>", "recommends, else 0.95", "recommends, else 0.05", "recommends, else 40", "1.75"] {
            assert!(help.contains(told), "{told} in {help}");
        }
    }
}
