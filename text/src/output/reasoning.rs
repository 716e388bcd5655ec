//! How models mark what they think and do not say, and when a thought has to be cut short.

/// A form in which reasoning is marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReasoningFormat {
    /// `<think>…</think>`: DeepSeek R1, Qwen3, GLM-4.5, SmolLM3, MiniMax and most others.
    Think,
    /// `<thinking>…</thinking>`: Hermes 4 and models trained on Claude's form.
    Thinking,
    /// `<reasoning>…</reasoning>`.
    Reasoning,
    /// `<seed:think>…</seed:think>`: Seed-OSS.
    Seed,
    /// `[THINK]…[/THINK]`: Magistral and later Mistral models.
    Mistral,
    /// `<|START_THINKING|>…<|END_THINKING|>`: Command R7B and Command A.
    Command,
    /// `<think>…</think><response>…</response>`: Granite 3.3.
    Granite,
    /// `<think>…</think><answer>…</answer>`: Hunyuan.
    Hunyuan,
    /// `<|channel>thought\n…<channel|>`: Gemma 4.
    Gemma,
    /// `<|inner_prefix|>…<|inner_suffix|>`: Apertus.
    Apertus,
    /// `Here are my reasoning steps:\n…[BEGIN FINAL RESPONSE]`: Apriel 1.5 and 1.6.
    Apriel,
    /// `<|open|>think<|sep|>…<|close|>think<|sep|>`: Kimi K3.
    KimiK3,
    /// `<mm:think>…</mm:think>`: MiniMax M3.
    MiniMaxM3,
    /// `<think:opensource>…</think:opensource>`: Hunyuan 3.
    Hunyuan3,
    /// `<|think|>…<|end|>`: Solar Open.
    SolarOpen,
    /// The channel `analysis`: gpt-oss.
    Harmony,
}

/// The texts around a thought.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tags {
    pub open: &'static str,
    pub close: &'static str,
    /// What stands around the answer proper and is dropped.
    pub around_answer: &'static [&'static str],
}

/// A format as data.
struct Row {
    format: ReasoningFormat,
    name: &'static str,
    /// `None` for harmony, whose channels are no tags.
    tags: Option<Tags>,
    closing: &'static str,
    /// What proves the format in a template's source: all of these.
    template_markers: &'static [&'static str],
}

const fn tags(open: &'static str, close: &'static str) -> Option<Tags> {
    Some(Tags { open, close, around_answer: &[] })
}

/// All formats; in a template the first whose markers are all there counts.
const ROWS: [Row; 16] = [
    Row {
        format: ReasoningFormat::Harmony,
        name: "harmony",
        tags: None,
        closing: "<|end|><|start|>assistant<|channel|>final<|message|>",
        template_markers: &["<|channel|>", "analysis"],
    },
    Row {
        format: ReasoningFormat::Gemma,
        name: "gemma",
        tags: tags("<|channel>thought", "<channel|>"),
        closing: "\n<channel|>",
        template_markers: &["<|channel>thought"],
    },
    Row {
        format: ReasoningFormat::Apertus,
        name: "apertus",
        tags: tags("<|inner_prefix|>", "<|inner_suffix|>"),
        closing: "<|inner_suffix|>",
        template_markers: &["<|inner_prefix|>", "<|inner_suffix|>"],
    },
    Row {
        format: ReasoningFormat::Apriel,
        name: "apriel",
        tags: Some(Tags {
            open: "Here are my reasoning steps:",
            close: "[BEGIN FINAL RESPONSE]",
            around_answer: &["[END FINAL RESPONSE]"],
        }),
        closing: "\n[BEGIN FINAL RESPONSE]\n",
        template_markers: &["[BEGIN FINAL RESPONSE]"],
    },
    Row {
        format: ReasoningFormat::KimiK3,
        name: "kimi-k3",
        tags: Some(Tags {
            open: "<|open|>think<|sep|>",
            close: "<|close|>think<|sep|>",
            around_answer: &["<|open|>response<|sep|>", "<|close|>response<|sep|>", "<|close|>message<|sep|>"],
        }),
        closing: "<|close|>think<|sep|><|open|>response<|sep|>",
        // The template builds its tags from their names.
        template_markers: &["<|open|>", "<|close|>", "<|sep|>", "think"],
    },
    Row {
        format: ReasoningFormat::MiniMaxM3,
        name: "minimax-m3",
        tags: tags("<mm:think>", "</mm:think>"),
        closing: "</mm:think>",
        template_markers: &["<mm:think>"],
    },
    Row {
        format: ReasoningFormat::Hunyuan3,
        name: "hunyuan3",
        tags: tags("<think:opensource>", "</think:opensource>"),
        closing: "</think:opensource>",
        // The template builds its tags from their suffix.
        template_markers: &["<think", ":opensource"],
    },
    Row {
        format: ReasoningFormat::SolarOpen,
        name: "solar-open",
        tags: Some(Tags {
            open: "<|think|>",
            close: "<|end|>",
            around_answer: &["<|begin|>assistant", "<|content|>", "<|end|>", "<|flush|>"],
        }),
        closing: "<|end|><|begin|>assistant<|content|>",
        template_markers: &["<|think|>", "<|begin|>", "<|content|>"],
    },
    Row {
        format: ReasoningFormat::Seed,
        name: "seed",
        tags: tags("<seed:think>", "</seed:think>"),
        closing: "</seed:think>",
        template_markers: &["seed:think"],
    },
    Row {
        format: ReasoningFormat::Command,
        name: "command",
        tags: Some(Tags {
            open: "<|START_THINKING|>",
            close: "<|END_THINKING|>",
            around_answer: &["<|START_RESPONSE|>", "<|END_RESPONSE|>", "<|START_TEXT|>", "<|END_TEXT|>"],
        }),
        closing: "<|END_THINKING|>",
        template_markers: &["<|START_THINKING|>"],
    },
    Row {
        format: ReasoningFormat::Mistral,
        name: "mistral",
        tags: tags("[THINK]", "[/THINK]"),
        closing: "[/THINK]",
        template_markers: &["[THINK]"],
    },
    Row {
        format: ReasoningFormat::Granite,
        name: "granite",
        tags: Some(Tags { open: "<think>", close: "</think>", around_answer: &["<response>", "</response>"] }),
        closing: "</think><response>",
        // Others have `<response>` around the results of tools.
        template_markers: &["<think></think>", "<response></response>"],
    },
    Row {
        format: ReasoningFormat::Hunyuan,
        name: "hunyuan",
        tags: Some(Tags { open: "<think>", close: "</think>", around_answer: &["<answer>", "</answer>"] }),
        closing: "\n</think>\n<answer>\n",
        template_markers: &["<think>", "<answer>"],
    },
    Row {
        format: ReasoningFormat::Think,
        name: "think",
        tags: tags("<think>", "</think>"),
        closing: "\n</think>\n\n",
        template_markers: &["</think>"],
    },
    Row {
        format: ReasoningFormat::Thinking,
        name: "thinking",
        tags: tags("<thinking>", "</thinking>"),
        closing: "\n</thinking>\n\n",
        template_markers: &["</thinking>"],
    },
    Row {
        format: ReasoningFormat::Reasoning,
        name: "reasoning",
        tags: tags("<reasoning>", "</reasoning>"),
        closing: "\n</reasoning>\n\n",
        template_markers: &["</reasoning>"],
    },
];

impl ReasoningFormat {
    fn row(self) -> &'static Row {
        // Every format has its row, which a test checks.
        ROWS.iter().find(|row| row.format == self).unwrap_or(&ROWS[0])
    }

    /// The format that a chat template's source shows, or that the vocabulary has tokens for while the template does not say.
    pub fn detect(template_source: &str, has_token: &dyn Fn(&str) -> bool) -> Option<Self> {
        let shown = ROWS.iter().find(|row| row.template_markers.iter().all(|marker| template_source.contains(marker)));
        let tokens =
            |tags: Tags| [tags.open, tags.close].iter().chain(tags.around_answer).all(|token| has_token(token));
        let known = || ROWS.iter().find(|row| row.tags.is_some_and(tokens));
        shown.or_else(known).map(|row| row.format)
    }

    /// The format of a name: `think`, `thinking`, `reasoning`, `seed`, `mistral`, `command`, `granite`, `hunyuan`,
    /// `gemma`, `apertus`, `apriel`, `kimi-k3`, `minimax-m3`, `hunyuan3`, `solar-open` or `harmony`.
    pub fn from_name(name: &str) -> Option<Self> {
        ROWS.iter().find(|row| row.name == name).map(|row| row.format)
    }

    /// Its name, which [`ReasoningFormat::from_name`] takes.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// All names.
    pub fn names() -> impl Iterator<Item = &'static str> {
        ROWS.iter().map(|row| row.name)
    }

    /// What closes a thought, and nothing more.
    pub fn close(self) -> &'static str {
        self.tags().map_or("<|end|>", |tags| tags.close)
    }

    /// What opens a thought at the beginning of an answer, where the model would not do so by itself; harmony's does.
    pub fn opening_text(self) -> Option<&'static str> {
        self.tags().map(|tags| tags.open)
    }

    /// What ends a thought and begins the answer: what has to be put behind a thought that is cut short.
    pub fn closing_text(self) -> &'static str {
        self.row().closing
    }

    /// The texts around a thought; harmony has none.
    pub(super) fn tags(self) -> Option<Tags> {
        self.row().tags
    }
}

/// Whether what follows a prompt is reasoning, since the prompt has opened a thought and not closed it.
///
/// `prompt_tail`: the prompt's end, from the last turn on at best.
pub fn starts_in_reasoning(prompt_tail: &str, format: ReasoningFormat) -> bool {
    let tail = prompt_tail.trim_end();
    match format.tags() {
        // An opening tag further up may be the user's or the system's own words.
        Some(tags) => tail.ends_with(tags.open),
        None => tail.ends_with("<|channel|>analysis<|message|>"),
    }
}

/// Whether a prompt ends right behind a thought, as templates have it for a model that is not to think.
pub fn ends_behind_thought(prompt_tail: &str, format: ReasoningFormat) -> bool {
    format.tags().is_some_and(|tags| prompt_tail.trim_end().ends_with(tags.close))
}

/// Counts the tokens of a thought and says when it has to end.
///
/// The engine asks [`ReasoningBudget::is_spent`] after each token and, once it is, puts [`ReasoningFormat::closing_text`] in place of
/// what the model would say next. A budget counts all thoughts of an answer together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReasoningBudget {
    limit: Option<u32>,
    used: u32,
    thinking: bool,
}

impl ReasoningBudget {
    /// A budget of `limit` tokens; `None` never ends a thought. `in_reasoning` is whether the answer begins inside one.
    pub fn new(limit: Option<u32>, in_reasoning: bool) -> Self {
        Self { limit, used: 0, thinking: in_reasoning }
    }

    /// Counts a token, after the parser has read it; `in_reasoning` is [`super::OutputParser::in_reasoning`] of then.
    ///
    /// The token that opens a thought counts, and the one that closes it does not.
    pub fn count(&mut self, in_reasoning: bool) {
        self.thinking = in_reasoning;
        self.used = self.used.saturating_add(u32::from(in_reasoning));
    }

    /// Whether a thought is under way that has used up the budget.
    pub fn is_spent(&self) -> bool {
        self.thinking && self.limit.is_some_and(|limit| self.used >= limit)
    }

    /// Tokens counted so far, for the usage's `reasoning_tokens`.
    pub fn used(&self) -> u32 {
        self.used
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_has_a_row_of_its_own() {
        use ReasoningFormat::*;
        for format in [
            Think, Thinking, Reasoning, Seed, Mistral, Command, Granite, Hunyuan, Gemma, Apertus, Apriel, KimiK3,
            MiniMaxM3, Hunyuan3, SolarOpen, Harmony,
        ] {
            assert_eq!(format.row().format, format);
            assert_eq!(ReasoningFormat::from_name(format.name()), Some(format));
        }
    }

    #[test]
    fn templates_show_their_format() {
        let detect = |source: &str| ReasoningFormat::detect(source, &|_| false);
        assert_eq!(detect("{{ '<|im_start|>assistant\\n<think>\\n\\n</think>' }}"), Some(ReasoningFormat::Think));
        assert_eq!(detect("<think></think><response></response>"), Some(ReasoningFormat::Granite));
        assert_eq!(detect("<think> </think> <response>{{ result }}</response>"), Some(ReasoningFormat::Think));
        assert_eq!(detect("<think></think><answer></answer>"), Some(ReasoningFormat::Hunyuan));
        assert_eq!(detect("<|start|>assistant<|channel|>analysis<|message|>"), Some(ReasoningFormat::Harmony));
        assert_eq!(detect("[SYSTEM_PROMPT] [THINK] [/THINK]"), Some(ReasoningFormat::Mistral));
        let tag =
            "{{ '<|open|>' + tag + '<|sep|>' }}{{ '<|close|>' }}{{ open_tag('think' if thinking else 'response') }}";
        assert_eq!(detect(tag), Some(ReasoningFormat::KimiK3));
        assert_eq!(detect("{{ '<|inner_prefix|>' + t + '<|inner_suffix|>' }}"), Some(ReasoningFormat::Apertus));
        assert_eq!(detect("after the marker [BEGIN FINAL RESPONSE]."), Some(ReasoningFormat::Apriel));
        assert_eq!(detect("{{- '<mm:think>' -}}"), Some(ReasoningFormat::MiniMaxM3));
        assert_eq!(detect("{% set s = ':opensource' %}{{ '<think' + s + '>' }}"), Some(ReasoningFormat::Hunyuan3));
        assert_eq!(detect("<|begin|>assistant<|think|>{{ t }}<|end|><|content|>"), Some(ReasoningFormat::SolarOpen));
        assert_eq!(detect("{{ messages }}"), None);
        let has = |token: &str| matches!(token, "<think>" | "</think>");
        assert_eq!(ReasoningFormat::detect("{{ messages }}", &has), Some(ReasoningFormat::Think));
    }

    #[test]
    fn a_prompt_opens_a_thought_only_at_its_end() {
        let think = ReasoningFormat::Think;
        assert!(starts_in_reasoning("<|im_start|>assistant\n<think>\n", think));
        assert!(!starts_in_reasoning("<|im_start|>assistant\n<think>\n\n</think>\n\n", think));
        assert!(!starts_in_reasoning("<|im_start|>user\nWhat is <think>?<|im_end|>\n<|im_start|>assistant\n", think));
        assert!(starts_in_reasoning("<|begin_assistant|>\nHere are my reasoning steps:\n", ReasoningFormat::Apriel));
        assert!(starts_in_reasoning("<|open|>think<|sep|>", ReasoningFormat::KimiK3));
        assert!(!starts_in_reasoning("<|open|>response<|sep|>", ReasoningFormat::KimiK3));
        assert!(starts_in_reasoning("<|start|>assistant<|channel|>analysis<|message|>", ReasoningFormat::Harmony));
        assert!(!starts_in_reasoning("<|start|>assistant", ReasoningFormat::Harmony));
    }

    #[test]
    fn a_budget_is_spent_only_while_a_thought_is_under_way() {
        let mut budget = ReasoningBudget::new(Some(2), true);
        assert!(!budget.is_spent());
        budget.count(true);
        assert!(!budget.is_spent());
        budget.count(true);
        assert!(budget.is_spent());
        budget.count(false);
        assert!(!budget.is_spent());
        assert_eq!(budget.used(), 2);
        assert!(ReasoningBudget::new(Some(0), true).is_spent());
        assert!(!ReasoningBudget::new(None, true).is_spent());
    }
}
