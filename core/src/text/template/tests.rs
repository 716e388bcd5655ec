//! Rendering, against what transformers gives, and bounds.

use serde_json::{Value, json};

use super::{ChatTemplate, TemplateError, TemplateInput};

/// Renders with a generation prompt and plain special tokens.
fn render(source: &str, messages: Value) -> Result<String, TemplateError> {
    let messages = messages.as_array().cloned().unwrap_or_default();
    ChatTemplate::new(source)?.render(&TemplateInput {
        messages: &messages,
        add_generation_prompt: true,
        bos_token: "<s>",
        eos_token: "</s>",
        ..TemplateInput::default()
    })
}

#[test]
fn chatml_renders() {
    let source = "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}{% endfor %}\
                  {% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";
    let prompt = render(source, json!([{"role": "user", "content": "Hi"}]));
    assert_eq!(prompt.unwrap(), "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n");
}

#[test]
fn blocks_are_trimmed_and_stripped_as_transformers_sets_jinja() {
    let source = "a\n    {% if true %}\n  b\n    {% endif %}\nc\n";
    assert_eq!(render(source, json!([])).unwrap(), "a\n  b\nc");
}

#[test]
fn tojson_writes_what_json_dumps_writes() {
    let message = json!({"z": "né \"q\"\n<&>", "a": [1, 2.5, true, null, {}], "e": []});
    let plain = "{\"z\": \"né \\\"q\\\"\\n<&>\", \"a\": [1, 2.5, true, null, {}], \"e\": []}";
    assert_eq!(render("{{ messages[0] | tojson }}", json!([message])).unwrap(), plain);
    let tight = "{\"a\":[1,2.5,true,null,{}],\"e\":[],\"z\":\"n\\u00e9 \\\"q\\\"\\n<&>\"}";
    let source = "{{ messages[0] | tojson(ensure_ascii=True, separators=(',', ':'), sort_keys=True) }}";
    assert_eq!(render(source, json!([message])).unwrap(), tight);
    let indented = "{\n  \"a\": [\n    1,\n    {}\n  ]\n}";
    assert_eq!(render("{{ messages[0] | tojson(indent=2) }}", json!([{"a": [1, {}]}])).unwrap(), indented);
}

#[test]
fn python_methods_namespaces_and_loop_controls_work() {
    let source = "{% set ns = namespace(n=0) %}{% for m in messages %}{% if m.content is none %}{% continue %}{% endif %}\
                  {% set ns.n = ns.n + 1 %}{{ m.content.strip().split('|')[-1].upper() }}{% if loop.index == 3 %}{% break %}{% endif %}\
                  {% endfor %}{{ ns.n }}{{ messages[0].get('x', 'd') }}{{ messages[::-1][0].content }}";
    let messages = json!([{"content": " a|b "}, {"content": null}, {"content": "c"}, {"content": "d"}]);
    assert_eq!(render(source, messages).unwrap(), "BC2dd");
}

#[test]
fn values_print_as_in_python() {
    let source =
        "{{ true }} {{ none }} {{ 1.0 }} {{ messages[0].l }} {{ messages[0].d }} {{ tools }} {{ undefined_thing }}|";
    let messages = json!([{"l": [1, "a'b", null], "d": {"k": "v"}}]);
    assert_eq!(render(source, messages).unwrap(), "True None 1.0 [1, \"a'b\", None] {'k': 'v'} None |");
}

#[test]
fn pythons_methods_and_jinjas_own_filters_and_tests_answer_as_there() {
    // Expected texts from transformers 5.23 with jinja2 3.1.6.
    for (expression, expected) in [
        ("'a,b,c'.rsplit(',', 1)", "['a,b', 'c']"),
        ("'a,b,c'.split(',', maxsplit=1)", "['a', 'b,c']"),
        ("'aXb'.split(sep='X')", "['a', 'b']"),
        ("' a b  c '.split()", "['a', 'b', 'c']"),
        ("' a b  c '.split(none, 1)", "['a', 'b  c ']"),
        ("' a b  c '.rsplit(none, 1)", "[' a b', 'c']"),
        ("'a-b-c'.partition('-')", "('a', '-', 'b-c')"),
        ("'a-b-c'.rpartition('-')", "('a-b', '-', 'c')"),
        ("'abc'.rpartition('-')", "('', '', 'abc')"),
        ("'abc'.removeprefix('a').removesuffix('c')", "b"),
        ("'aéc'.index('c')", "2"),
        ("[1, 2, 3].index(2)", "1"),
        ("{'a': 1}.copy()", "{'a': 1}"),
        ("'abc' is sequence", "True"),
        ("{'a': 1} is sequence", "True"),
        ("none is sequence", "False"),
        ("none is iterable", "False"),
        ("nope | length", "0"),
        ("'a\\n b\\n\\nc\\n' | indent(2)", "a\n   b\n\n  c\n"),
        ("'a\\n\\nb' | indent(1, true, blank=true)", " a\n \n b"),
        ("'é' | tojson(true)", "\"\\u00e9\""),
        ("1e20", "1e+20"),
        ("1e400", "inf"),
    ] {
        assert_eq!(render(&format!("{{{{ {expression} }}}}"), json!([])).as_deref(), Ok(expected), "{expression}");
    }
}

#[test]
fn generation_tags_leave_their_content() {
    let source = "{% for m in messages %}{% generation %}{{ m.content }}{% endgeneration %}{% endfor %}";
    assert_eq!(render(source, json!([{"content": "x"}])).unwrap(), "x");
}

#[test]
fn extra_variables_reach_the_template_and_the_time_is_the_callers() {
    let template = ChatTemplate::new("{{ enable_thinking }} {{ strftime_now('%d %b %Y') }} {{ bos_token }}").unwrap();
    let extra = json!({"enable_thinking": false, "bos_token": "B"});
    let mut input = TemplateInput { extra: extra.as_object(), local_time: Some(1_785_000_000), ..Default::default() };
    assert_eq!(template.render(&input).unwrap(), "False 25 Jul 2026 B");
    input.local_time = None;
    assert_eq!(template.render(&input), Err(TemplateError::NoTime));
}

#[test]
fn raise_exception_gives_its_message() {
    let error = render("{{ raise_exception('roles must alternate') }}", json!([])).unwrap_err();
    assert_eq!(error, TemplateError::Raised("roles must alternate".into()));
}

#[test]
fn what_is_unknown_is_named() {
    for (source, name) in [
        ("\n{{ frobnicate(1) }}", "frobnicate"),
        ("{{ messages | frobnicate }}", "frobnicate"),
        ("{{ 'a'.frobnicate() }}", "frobnicate"),
        ("{{ 1 is frobnicate }}", "frobnicate"),
        ("{% include 'frobnicate' %}", "frobnicate"),
    ] {
        match render(source, json!([])) {
            Err(TemplateError::Unknown { message, .. }) => assert!(message.contains(name), "{message}"),
            other => panic!("{source}: {other:?}"),
        }
    }
}

#[test]
fn syntax_errors_name_the_line() {
    match render("a\n{% if %}", json!([])) {
        Err(TemplateError::Syntax { line, .. }) => assert_eq!(line, 2),
        other => panic!("{other:?}"),
    }
}

#[test]
fn hostile_templates_end_in_typed_errors() {
    let loops = "{% for a in range(10000) %}{% for b in range(10000) %}{{ loop.index }}{% endfor %}{% endfor %}";
    assert_eq!(render(loops, json!([])), Err(TemplateError::TooManySteps));
    let recursion = "{% macro f(n) %}{{ f(n + 1) }}{% endmacro %}{{ f(0) }}";
    assert_eq!(render(recursion, json!([])), Err(TemplateError::TooDeep));
    let long = " ".repeat(super::MAX_SOURCE + 1);
    assert_eq!(render(&long, json!([])), Err(TemplateError::TooLong(super::MAX_SOURCE + 1)));
}

#[test]
fn texts_that_grow_without_end_are_stopped_before_memory_is() {
    let ns = |step: &str| {
        format!(
            "{{% set ns = namespace(x='ab', l=[]) %}}{{% for i in range(5000) %}}{step}{{% endfor %}}{{{{ ns.x | length }}}}"
        )
    };
    let literal = "x".repeat(20_000);
    for source in [
        ns("{% set ns.x = ns.x + ns.x %}"),
        ns("{% set ns.x = ns.x ~ ns.x %}"),
        ns("{% set ns.x = ns.x * 1000 %}"),
        "{{ 'a' * 100000000 }}".into(),
        "{{ 'a' * 9999 * 9999 }}".into(),
        "{{ ([0] * 9999) * 9999 }}".into(),
        ns("{% set ns.x = [ns.x, ns.x] | join %}"),
        ns("{% set ns.x = ','.join([ns.x, ns.x]) %}"),
        ns("{% set ns.x = ns.x | replace('b', ns.x) %}"),
        ns("{% set ns.x = ns.x.replace('', ns.x) %}"),
        ns("{% set ns.x = '%s%s' % (ns.x, ns.x) %}"),
        ns("{% set ns.x = '{0}{0}'.format(ns.x) %}"),
        ns("{% set ns.x %}{{ ns.x }}{{ ns.x }}{% endset %}"),
        ns("{% set ns.x = ns.x | tojson | tojson %}"),
        ns("{% set ns.x = (ns.x | string) + (ns.x | upper) %}"),
        ns("{% set ns.l = [ns.l, ns.l] %}") + "{{ ns.l }}",
        ns("{% set ns.l = [ns.l, ns.l] %}{% if loop.index > 60 %}{% break %}{% endif %}") + "{{ ns.l }}",
        ns("{% set ns.l = [ns.l, ns.l] %}{% if loop.index > 60 %}{% break %}{% endif %}") + "{{ ns.l ~ '' }}",
        ns("{% set ns.l = [ns.l, ns.l] %}{% if loop.index > 60 %}{% break %}{% endif %}") + "{{ ns.l | tojson }}",
        ns("{% set ns.l = [ns.l, ns.l] %}{% if loop.index > 60 %}{% break %}{% endif %}")
            + "{{ [1, 2] | tojson(separators=(ns.l, ':')) }}",
        ns("{% set ns.x = ns.x ~ '\n' * 400000 %}{% if loop.index > 2 %}{% break %}{% endif %}")
            + "{{ ns.x | indent(64) }}",
        ns("{% set ns.l = {'a': ns.l} %}"),
        ns("{% set ns.l = namespace(a=ns.l) %}"),
        ns("{% set ns.l = ns.l | batch(1) | list %}{% set ns.l = [ns.l] %}"),
        ns(&literal),
        ns(&format!("{{% set y %}}{literal}{{% endset %}}")),
        format!("{}{{{{ x }}}}", "{% set x = (x or 'ab') ~ (x or 'ab') %}".repeat(60)),
        "{% macro f(x) %}{{ f(x + x) }}{% endmacro %}{{ f('ab') }}".into(),
    ] {
        let start = std::time::Instant::now();
        let error = render(&source, json!([])).unwrap_err();
        assert!(matches!(error, TemplateError::TooMuchText | TemplateError::TooDeep), "{source}: {error}");
        assert!(start.elapsed().as_secs() < 5, "{source}: {:?}", start.elapsed());
    }
    let wide = render("{{ '%999999999d' % 1 }}", json!([])).unwrap_err();
    assert!(matches!(wide, TemplateError::Failed { .. }), "{wide}");
}

#[test]
fn a_callers_variable_does_not_lift_the_budget() {
    let template = ChatTemplate::new("{{ 'a' * 100000000 }}").unwrap();
    let extra = json!({"bytes to build": 1_u64 << 40});
    let input = TemplateInput { extra: extra.as_object(), ..TemplateInput::default() };
    assert_eq!(template.render(&input), Err(TemplateError::TooMuchText));
}

#[test]
fn a_long_conversation_has_its_budget_in_macros_too() {
    let long = "x".repeat(1 << 20);
    let source = "{% macro f(text) %}{% for i in range(30) %}{{ text }}{% endfor %}{% endmacro %}{{ f(messages[0]) }}";
    assert_eq!(render(source, json!([long])).map(|text| text.len()), Ok(30 << 20));
}

#[test]
fn operators_answer_as_in_python() {
    for (expression, expected) in [
        ("'%s-%d' % ('a', 3)", "a-3"),
        ("'%.2f' % 3.14159", "3.14"),
        ("'%s' % 'a'", "a"),
        ("'%(a)s' % {'a': 1}", "1"),
        ("-7 % 3", "2"),
        ("7 % -3", "-2"),
        ("7 % 2.5", "2.0"),
        ("'ab' * 2 + 2 * 'c'", "ababcc"),
        ("'a' * -1", ""),
        ("[1] * 2 + [3]", "[1, 1, 3]"),
        ("(1,) * 2", "(1, 1)"),
        ("3 * 4 + 0.5 * 2", "13.0"),
        ("1 ~ none ~ (1e20 + x) ~ [true]", "1None1e+20[True]"),
        ("10000000000 * 10000000000", "100000000000000000000"),
    ] {
        // With a variable, so that the engine does not work it out when it compiles.
        let source = format!("{{% set x = messages[0].n %}}{{{{ {expression} }}}}{{{{ 'a' * x }}}}");
        assert_eq!(render(&source, json!([{"n": 0}])).as_deref(), Ok(expected), "{expression}");
    }
}
