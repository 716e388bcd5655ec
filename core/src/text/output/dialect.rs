//! The dialects: in which form a family of models writes tool calls. Each is a [`Spec`], data in a file of its own.

use super::code::CodeForm;
use super::dialects::{
    command, deepseek, functionary, gemma, glm4, glm45, granite, harmony, hermes, kimi, lfm2, llama3, minimax, mistral,
    nemotron, qwen_coder, seed,
};
use super::grammar::Pattern;
use super::ids::IdForm;
use super::reader::Form;

/// A way to write tool calls in text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// `hermes`: Hermes, Qwen 2.5 and 3, SmolLM3, ember and many others.
    Hermes,
    /// `qwen-coder`: Qwen3-Coder, Qwen3.5 and Nemotron 3.
    QwenCoder,
    /// `seed`: Seed-OSS.
    Seed,
    /// `minimax`: MiniMax M2.
    MiniMax,
    /// `llama3`: Llama 3.1 to 3.3.
    Llama3,
    /// `mistral`: Mistral, Mixtral, Ministral, Magistral, Devstral.
    Mistral,
    /// `glm4`: GLM-4-9B, GLM-4-0414.
    Glm4,
    /// `glm45`: GLM-4.5 and later.
    Glm45,
    /// `harmony`: gpt-oss.
    Harmony,
    /// `gemma`: Gemma 2 and 3.
    Gemma,
    /// `functionary`: functionary 3.2 and later.
    Functionary,
    /// `functionary-v3.1`: functionary 3.1, and Llama 3.1 with its own form for custom functions.
    FunctionaryV31,
    /// `deepseek`: DeepSeek V3 and R1.
    Deepseek,
    /// `deepseek-v3.1`: DeepSeek V3.1.
    DeepseekV31,
    /// `lfm2`: LFM2 and LFM2.5.
    Lfm2,
    /// `command-r`: Command R and R+.
    CommandR,
    /// `command-r7b`: Command R7B and Command A.
    CommandR7b,
    /// `kimi-k2`: Kimi K2.
    KimiK2,
    /// `granite`: Granite 3 and Phi-4-mini.
    Granite,
    /// `nemotron`: Nemotron Nano and Super.
    Nemotron,
}

/// Where in content a marker counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Anywhere,
    /// At the beginning of a line.
    Line,
    /// Where nothing but white space has come since the beginning of the answer, the last thought or the last call.
    Start,
}

/// A marker that calls follow.
#[derive(Debug)]
pub(super) struct Opener {
    pub text: &'static str,
    pub form: &'static Form,
    pub place: Place,
    /// The marker is ordinary text unless a call follows; of others, what follows is a malformed call then.
    pub weak: bool,
    /// The marker is the beginning of the call and not something before it.
    pub keep: bool,
}

impl Opener {
    /// A marker that means nothing else.
    pub const fn strong(text: &'static str, form: &'static Form) -> Self {
        Self { text, form, place: Place::Anywhere, weak: false, keep: false }
    }
}

/// A dialect as data.
#[derive(Debug)]
pub(super) struct Spec {
    pub name: &'static str,
    /// What proves the dialect in a template's source: all texts of one of these groups.
    pub signs: &'static [&'static [&'static str]],
    /// Tokens of a vocabulary that prove it, for a template that speaks of tools and shows no sign.
    pub tokens: &'static [&'static str],
    pub openers: &'static [Opener],
    /// Where the name of an offered tool, with a line break behind it, opens a call.
    pub names: Option<(&'static Form, Place)>,
    /// Texts that stand between parts and are dropped.
    pub ornaments: &'static [(&'static str, Place)],
    /// Further control tokens that calls contain, so that they are read and not dropped.
    pub inner: &'static [&'static str],
    /// What ends code that is written with no call around it.
    pub code: Option<CodeForm>,
    pub ids: IdForm,
    /// Text or token at which a call begins, where that is sure.
    pub trigger: Option<&'static str>,
    /// How calls are written exactly, to force them: the first pattern whose token the vocabulary has.
    pub patterns: &'static [(Option<&'static str>, Pattern)],
}

/// All dialects. In a template the first whose signs are there counts, so that special forms come before general ones.
const ALL: [Dialect; 20] = [
    Dialect::Harmony,
    Dialect::Deepseek,
    Dialect::DeepseekV31,
    Dialect::KimiK2,
    Dialect::MiniMax,
    Dialect::Seed,
    Dialect::QwenCoder,
    Dialect::Glm45,
    Dialect::Lfm2,
    Dialect::Mistral,
    Dialect::CommandR7b,
    Dialect::CommandR,
    Dialect::Functionary,
    Dialect::FunctionaryV31,
    Dialect::Granite,
    Dialect::Nemotron,
    Dialect::Hermes,
    Dialect::Llama3,
    Dialect::Gemma,
    Dialect::Glm4,
];

impl Dialect {
    /// The dialect that a chat template's source shows. A template that speaks of tools without showing how calls are written
    /// is decided by the vocabulary's tokens, where these prove a dialect. `None` if nothing is proven.
    pub fn detect(template_source: &str, has_token: &dyn Fn(&str) -> bool) -> Option<Self> {
        let shows = |group: &[&str]| group.iter().all(|sign| template_source.contains(sign));
        let shown = ALL.into_iter().find(|dialect| dialect.spec().signs.iter().any(|group| shows(group)));
        let proves = |dialect: &Self| {
            let tokens = dialect.spec().tokens;
            !tokens.is_empty() && tokens.iter().all(|token| has_token(token))
        };
        let proven = || ALL.into_iter().find(proves).filter(|_| template_source.contains("tool"));
        shown.or_else(proven)
    }

    /// The dialect of a name, as given with each [`Dialect`].
    pub fn from_name(name: &str) -> Option<Self> {
        ALL.into_iter().find(|dialect| dialect.name() == name)
    }

    /// Its name, which [`Dialect::from_name`] takes.
    pub fn name(self) -> &'static str {
        self.spec().name
    }

    /// All names.
    pub fn names() -> impl Iterator<Item = &'static str> {
        ALL.into_iter().map(Self::name)
    }

    /// Text, or the name of a control token, at which a call surely begins: where a strict tool's grammar takes over under
    /// `tool_choice: "auto"`. `None` for dialects whose calls begin like ordinary text.
    pub fn trigger(self) -> Option<&'static str> {
        self.spec().trigger
    }

    pub(super) fn spec(self) -> &'static Spec {
        match self {
            Self::Hermes => &hermes::SPEC,
            Self::QwenCoder => &qwen_coder::SPEC,
            Self::Seed => &seed::SPEC,
            Self::MiniMax => &minimax::SPEC,
            Self::Llama3 => &llama3::SPEC,
            Self::Mistral => &mistral::SPEC,
            Self::Glm4 => &glm4::SPEC,
            Self::Glm45 => &glm45::SPEC,
            Self::Harmony => &harmony::SPEC,
            Self::Gemma => &gemma::SPEC,
            Self::Functionary => &functionary::SPEC,
            Self::FunctionaryV31 => &functionary::SPEC_V31,
            Self::Deepseek => &deepseek::SPEC,
            Self::DeepseekV31 => &deepseek::SPEC_V31,
            Self::Lfm2 => &lfm2::SPEC,
            Self::CommandR => &command::SPEC_R,
            Self::CommandR7b => &command::SPEC_R7B,
            Self::KimiK2 => &kimi::SPEC,
            Self::Granite => &granite::SPEC,
            Self::Nemotron => &nemotron::SPEC,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dialect_has_a_name_of_its_own() {
        for dialect in ALL {
            assert_eq!(Dialect::from_name(dialect.name()), Some(dialect));
        }
        assert_eq!(Dialect::from_name("morse"), None);
    }

    #[test]
    fn templates_show_their_dialect() {
        let detect = |source: &str| Dialect::detect(source, &|_| false);
        for (source, dialect) in [
            (
                "<tool_call>\\n{\"name\": <function-name>, \"arguments\": <args-json-object>}\\n</tool_call>",
                Dialect::Hermes,
            ),
            ("<tool_call>\\n<function=example>\\n<parameter=p>", Dialect::QwenCoder),
            ("<seed:tool_call>\\n<function=example>\\n<parameter=p>", Dialect::Seed),
            ("<minimax:tool_call>\\n<invoke name=\"t\">", Dialect::MiniMax),
            ("Environment: ipython {\"name\": function name, \"parameters\": dictionary}", Dialect::Llama3),
            ("<|python_tag|> builtin_tools", Dialect::Llama3),
            ("{{ '[TOOL_CALLS] [' }}", Dialect::Mistral),
            ("[gMASK]<sop> <|observation|>", Dialect::Glm4),
            ("[gMASK]<sop> <tool_call>{function-name}\\n<arg_key> <|observation|>", Dialect::Glm45),
            ("<|start|>assistant<|channel|>commentary", Dialect::Harmony),
            ("```tool_code", Dialect::Gemma),
            (">>>all\\n${content}", Dialect::Functionary),
            ("<function=example_function_name>{\"a\": 1}</function>", Dialect::FunctionaryV31),
            ("<｜tool▁call▁begin｜>function<｜tool▁sep｜>\\n```json", Dialect::Deepseek),
            ("<｜tool▁call▁begin｜>' + name + '<｜tool▁sep｜>", Dialect::DeepseekV31),
            ("<|tool_list_start|>[", Dialect::Lfm2),
            ("Action: ```json [{\"tool_name\": title}]```", Dialect::CommandR),
            ("<|START_ACTION|>[", Dialect::CommandR7b),
            ("<|tool_calls_section_begin|>", Dialect::KimiK2),
            ("{{ '<|tool_call|>' }}", Dialect::Granite),
            ("'<|tool|>' + tools + '<|/tool|>'", Dialect::Granite),
            ("<TOOLCALL>[", Dialect::Nemotron),
        ] {
            assert_eq!(detect(source), Some(dialect), "{source}");
        }
        assert_eq!(detect("{% for m in messages %}{{ m.content }}{% endfor %}"), None);
    }

    #[test]
    fn tokens_prove_a_dialect_only_where_the_template_speaks_of_tools() {
        let has = |token: &str| token == "[TOOL_CALLS]";
        assert_eq!(Dialect::detect("{{ tools }}", &has), Some(Dialect::Mistral));
        assert_eq!(Dialect::detect("{{ messages }}", &has), None);
    }
}
