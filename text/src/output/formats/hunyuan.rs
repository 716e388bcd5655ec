//! Hunyuan 3: key and value of each argument between tags, as GLM has them, within tags for each call and for all. Every tag of the
//! public models ends with `:opensource`; tags without that suffix are read as well.
//!
//! ```text
//! <tool_calls:opensource>
//! <tool_call:opensource>get_weather<tool_sep:opensource>
//! <arg_key:opensource>city</arg_key:opensource>
//! <arg_value:opensource>Oslo</arg_value:opensource>
//! </tool_call:opensource>
//! </tool_calls:opensource>
//! ```
//!
//! In place of keys and values there may be one JSON object.

use super::super::detect::TemplateMarker;
use super::super::grammar::{Arguments, Part::Text, Pattern, Tagging};
use super::super::reader::Form;
use super::super::tool_call_format::{Place, Spec, StartMarker};
use super::super::xml_params::XmlParamsForm;

/// The tags with this suffix, within the wrapper or not.
macro_rules! form {
    ($suffix:literal, $wrapper:expr) => {
        Form::XmlParams(XmlParamsForm {
            wrapper: $wrapper,
            open: concat!("<tool_call", $suffix, ">"),
            name_end: concat!("<tool_sep", $suffix, ">"),
            json: Some(("", "")),
            key: (concat!("<arg_key", $suffix, ">"), concat!("</arg_key", $suffix, ">")),
            value: concat!("<arg_value", $suffix, ">"),
            value_ends: &[concat!("</arg_value", $suffix, ">")],
            close: concat!("</tool_call", $suffix, ">"),
            ..XmlParamsForm::PLAIN
        })
    };
}

/// How the calls are written with tags of this suffix.
macro_rules! pattern {
    ($suffix:literal) => {
        Pattern {
            lead: &[Text(concat!("<tool_calls", $suffix, ">")), Text("\n")],
            before: &[Text(concat!("<tool_call", $suffix, ">"))],
            between: &[Text(concat!("<tool_sep", $suffix, ">")), Text("\n")],
            arguments: Arguments::Tagged(Tagging {
                key: (
                    &[Text(concat!("<arg_key", $suffix, ">"))],
                    &[Text(concat!("</arg_key", $suffix, ">")), Text("\n"), Text(concat!("<arg_value", $suffix, ">"))],
                ),
                json: None,
                end: &[Text(concat!("</arg_value", $suffix, ">"))],
                gap: "\n",
            }),
            after: &[Text(concat!("</tool_call", $suffix, ">")), Text("\n")],
            separator: &[],
            tail: &[Text(concat!("</tool_calls", $suffix, ">"))],
        }
    };
}

static WRAPPED: Form = form!(":opensource", Some(("<tool_calls:opensource>", "</tool_calls:opensource>")));
static BARE: Form = form!(":opensource", None);
static WRAPPED_PLAIN: Form = form!("", Some(("<tool_calls>", "</tool_calls>")));
static BARE_PLAIN: Form = form!("", None);

pub static SPEC: Spec = Spec {
    name: "hunyuan3",
    // The template builds the tags from their suffix.
    template_markers: &[TemplateMarker::All(&["tool_sep", "arg_key"])],
    tokens: &["<tool_calls:opensource>", "<tool_sep:opensource>"],
    start_markers: &[
        StartMarker::strong("<tool_calls:opensource>", &WRAPPED),
        StartMarker::strong("<tool_call:opensource>", &BARE),
        StartMarker::strong("<tool_calls>", &WRAPPED_PLAIN),
        StartMarker::strong("<tool_call>", &BARE_PLAIN),
    ],
    ornaments: &[("</tool_calls:opensource>", Place::Start), ("</tool_calls>", Place::Start)],
    inner: &[
        "<tool_sep:opensource>",
        "</tool_call:opensource>",
        "<arg_key:opensource>",
        "</arg_key:opensource>",
        "<arg_value:opensource>",
        "</arg_value:opensource>",
        "<tool_sep>",
        "</tool_call>",
        "<arg_key>",
        "</arg_key>",
        "<arg_value>",
        "</arg_value>",
    ],
    trigger: Some("<tool_calls:opensource>"),
    patterns: &[(Some("<tool_sep>"), pattern!("")), (None, pattern!(":opensource"))],
    ..Spec::PLAIN
};
