//! The tool-call formats: how families of models write tool calls. Each is a [`Spec`], data in a file of its own; which one a
//! template shows is found in [`super::detect`].

use super::code::CodeForm;
use super::detect::TemplateMarker;
use super::formats::{
    apertus, command, deepseek, dsml, firefunction, functionary, gemma, gemma4, gigachat, glm4, glm45, granite,
    harmony, hermes, hunyuan, kimi, kimi_k3, lfm2, llama3, minicpm, minimax, minimax_m3, mistral, nemotron, qwen_coder,
    seed, solar, tool_calls,
};
use super::grammar::Pattern;
use super::ids::IdForm;
use super::reader::Form;

/// A way to write tool calls in text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ToolCallFormat {
    /// `hermes`: Hermes, Qwen 2.5 and 3, SmolLM3, ember and many others.
    Hermes,
    /// `qwen-coder`: Qwen3-Coder, Qwen3.5 and Nemotron 3.
    QwenCoder,
    /// `seed`: Seed-OSS.
    Seed,
    /// `minimax`: MiniMax M2.
    MiniMax,
    /// `minimax-m1`: MiniMax M1.
    MiniMaxM1,
    /// `minimax-m3`: MiniMax M3.
    MiniMaxM3,
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
    /// `function-gemma`: FunctionGemma.
    FunctionGemma,
    /// `gemma4`: Gemma 4.
    Gemma4,
    /// `functionary`: functionary 3.2 and later.
    Functionary,
    /// `functionary-v3.1`: functionary 3.1, and Llama 3.1 with its own form for custom functions.
    FunctionaryV31,
    /// `deepseek`: DeepSeek V3 and R1.
    Deepseek,
    /// `deepseek-v3.1`: DeepSeek V3.1.
    DeepseekV31,
    /// `deepseek-v3.2`: DeepSeek V3.2.
    DeepseekV32,
    /// `deepseek-v4`: DeepSeek V4.
    DeepseekV4,
    /// `lfm2`: LFM2 and LFM2.5.
    Lfm2,
    /// `command-r`: Command R and R+.
    CommandR,
    /// `command-r7b`: Command R7B and Command A.
    CommandR7b,
    /// `kimi-k2`: Kimi K2.
    KimiK2,
    /// `kimi-k3`: Kimi K3.
    KimiK3,
    /// `granite`: Granite 3 and Phi-4-mini.
    Granite,
    /// `nemotron`: Nemotron Nano and Super.
    Nemotron,
    /// `apertus`: Apertus.
    Apertus,
    /// `apriel`: Apriel 1.5 and 1.6, Jamba, Hunyuan A13B.
    Apriel,
    /// `gigachat3`: GigaChat 3.
    GigaChat3,
    /// `hunyuan3`: Hunyuan 3.
    Hunyuan3,
    /// `solar-open`: Solar Open.
    SolarOpen,
    /// `minicpm5`: MiniCPM5.
    MiniCpm5,
    /// `firefunction`: firefunction v2.
    Firefunction,
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
pub(super) struct StartMarker {
    pub text: &'static str,
    pub form: &'static Form,
    pub place: Place,
    /// The marker is ordinary text unless a call follows; of others, what follows is a malformed call then.
    pub weak: bool,
    /// The marker is the beginning of the call and not something before it.
    pub keep: bool,
}

impl StartMarker {
    /// A marker that means nothing else.
    pub const fn strong(text: &'static str, form: &'static Form) -> Self {
        Self { text, form, place: Place::Anywhere, weak: false, keep: false }
    }
}

/// A tool-call format as data.
#[derive(Debug)]
pub(super) struct Spec {
    pub name: &'static str,
    /// What proves the format in a template's source: one of these.
    pub template_markers: &'static [TemplateMarker],
    /// Tokens of a vocabulary that prove it, for a template that leaves the form of calls to the vocabulary.
    pub tokens: &'static [&'static str],
    pub start_markers: &'static [StartMarker],
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

impl Spec {
    /// A format without anything special: a base for all, which name what they have.
    pub const PLAIN: Self = Self {
        name: "",
        template_markers: &[],
        tokens: &[],
        start_markers: &[],
        names: None,
        ornaments: &[],
        inner: &[],
        code: None,
        ids: IdForm::Call,
        trigger: None,
        patterns: &[],
    };
}

/// All tool-call formats. In a template the first whose markers are there counts, so that special forms come before general ones.
pub(super) static ALL: [(ToolCallFormat, &Spec); 34] = [
    (ToolCallFormat::Harmony, &harmony::SPEC),
    (ToolCallFormat::DeepseekV32, &dsml::SPEC_V32),
    (ToolCallFormat::DeepseekV4, &dsml::SPEC_V4),
    (ToolCallFormat::Deepseek, &deepseek::SPEC),
    (ToolCallFormat::DeepseekV31, &deepseek::SPEC_V31),
    (ToolCallFormat::KimiK3, &kimi_k3::SPEC),
    (ToolCallFormat::KimiK2, &kimi::SPEC),
    (ToolCallFormat::MiniMaxM3, &minimax_m3::SPEC),
    (ToolCallFormat::MiniMax, &minimax::SPEC),
    (ToolCallFormat::Seed, &seed::SPEC),
    (ToolCallFormat::QwenCoder, &qwen_coder::SPEC),
    (ToolCallFormat::Hunyuan3, &hunyuan::SPEC),
    (ToolCallFormat::Glm45, &glm45::SPEC),
    (ToolCallFormat::Lfm2, &lfm2::SPEC),
    (ToolCallFormat::Mistral, &mistral::SPEC),
    (ToolCallFormat::CommandR7b, &command::SPEC_R7B),
    (ToolCallFormat::CommandR, &command::SPEC_R),
    (ToolCallFormat::Functionary, &functionary::SPEC),
    (ToolCallFormat::FunctionaryV31, &functionary::SPEC_V31),
    (ToolCallFormat::Granite, &granite::SPEC),
    (ToolCallFormat::Nemotron, &nemotron::SPEC),
    (ToolCallFormat::Apertus, &apertus::SPEC),
    (ToolCallFormat::Apriel, &tool_calls::SPEC_APRIEL),
    (ToolCallFormat::MiniMaxM1, &tool_calls::SPEC_M1),
    (ToolCallFormat::SolarOpen, &solar::SPEC),
    (ToolCallFormat::GigaChat3, &gigachat::SPEC),
    (ToolCallFormat::MiniCpm5, &minicpm::SPEC),
    (ToolCallFormat::Firefunction, &firefunction::SPEC),
    (ToolCallFormat::Gemma4, &gemma4::SPEC),
    (ToolCallFormat::FunctionGemma, &gemma4::SPEC_FUNCTION),
    (ToolCallFormat::Hermes, &hermes::SPEC),
    (ToolCallFormat::Llama3, &llama3::SPEC),
    (ToolCallFormat::Gemma, &gemma::SPEC),
    (ToolCallFormat::Glm4, &glm4::SPEC),
];

impl ToolCallFormat {
    /// The format of a name, as given with each [`ToolCallFormat`].
    pub fn from_name(name: &str) -> Option<Self> {
        ALL.iter().find(|(_, spec)| spec.name == name).map(|(format, _)| *format)
    }

    /// Its name, which [`ToolCallFormat::from_name`] takes.
    pub fn name(self) -> &'static str {
        self.spec().name
    }

    /// All names.
    pub fn names() -> impl Iterator<Item = &'static str> {
        ALL.iter().map(|(_, spec)| spec.name)
    }

    /// Text, or the name of a control token, at which a call surely begins: where a strict tool's grammar takes over under
    /// `tool_choice: "auto"`. `None` for formats whose calls begin like ordinary text.
    pub fn trigger(self) -> Option<&'static str> {
        self.spec().trigger
    }

    pub(super) fn spec(self) -> &'static Spec {
        // Every format has its row, which a test checks.
        ALL.iter().find(|(format, _)| *format == self).map_or(&hermes::SPEC, |(_, spec)| spec)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tool_call_format_has_a_name_and_a_row_of_its_own() {
        for (format, spec) in &ALL {
            assert_eq!(ToolCallFormat::from_name(spec.name), Some(*format));
            assert_eq!(format.name(), spec.name);
        }
        assert_eq!(ToolCallFormat::from_name("morse"), None);
        // The last variant: a format without a row would be one more than there are rows.
        assert_eq!(ALL.len(), ToolCallFormat::Firefunction as usize + 1);
    }
}
