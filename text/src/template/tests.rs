//! Rendering, and its bounds. What the language answers is held to jinja2's answers by `text/tests/templates/`.

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
fn tojson_writes_what_json_dumps_writes() {
    let message = json!({"z": "né \"q\"\n<&>", "a": [1, 2.5, true, {}], "e": []});
    let plain = "{\"z\": \"né \\\"q\\\"\\n<&>\", \"a\": [1, 2.5, true, {}], \"e\": []}";
    assert_eq!(render("{{ messages[0] | tojson }}", json!([message])).unwrap(), plain);
    let tight = "{\"a\":[1,2.5,true,{}],\"e\":[],\"z\":\"n\\u00e9 \\\"q\\\"\\n<&>\"}";
    let source = "{{ messages[0] | tojson(ensure_ascii=True, separators=(',', ':'), sort_keys=True) }}";
    assert_eq!(render(source, json!([message])).unwrap(), tight);
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
fn errors_name_their_line() {
    assert!(matches!(render("a\n{% if %}", json!([])), Err(TemplateError::Syntax { line: 2, .. })));
    assert!(matches!(render("a\n\n{{ x | nope }}", json!([])), Err(TemplateError::Unknown { line: 3, .. })));
    let within_macro = "{% macro f() %}\n{{ 1 + 'a' }}\n{% endmacro %}\n\n{{ f() }}";
    assert!(matches!(render(within_macro, json!([])), Err(TemplateError::Failed { line: 2, .. })));
}

#[test]
fn texts_and_lists_that_grow_without_end_are_stopped_before_memory_is() {
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
        ns("{% set ns.x = ns.x ~ '\n' * 400000 %}{% if loop.index > 2 %}{% break %}{% endif %}")
            + "{{ ns.x | indent(64) }}",
        ns(&literal),
        ns(&format!("{{% set y %}}{literal}{{% endset %}}")),
        ns("{% set ns.l = [ns.l] %}{% if loop.index > 99 %}{% break %}{% endif %}")
            + "{{ ns.l | tojson(indent='x' * 2000000) }}",
        ns("{% set ns.l = [ns.l, 1] %}{% if loop.index > 99 %}{% break %}{% endif %}")
            + "{{ ns.l | tojson(separators=(',' * 2000000, ':')) }}",
        "{{ '%999999999d' % 1 }}".into(),
        "{{ '{:>999999999}'.format(1) }}".into(),
        "{{ 'a'.center(999999999) }}".into(),
        "{% macro f(x) %}{{ f(x + x) }}{% endmacro %}{{ f('ab') }}".into(),
    ] {
        let error = render(&source, json!([])).unwrap_err();
        assert!(matches!(error, TemplateError::TooMuchText | TemplateError::TooManySteps), "{source}: {error}");
    }
    for source in [
        ns("{% set ns.l = [ns.l, ns.l] %}"),
        ns("{% set ns.l = {'a': ns.l} %}"),
        ns("{% set ns.l = ns.l | batch(1) | list %}{% set ns.l = [ns.l] %}"),
        ns("{% set ns.l = [ns.l.count] %}"),
        ns("{% set ns.l = cycler(ns.l) %}"),
        ns("{% set ns.l = joiner(ns.l) %}"),
        ns("{% set outer = [ns.l] %}{% for x in outer %}{% set ns.l = [loop] %}{% endfor %}"),
        "{% macro f(n) %}{{ f(n + 1) }}{% endmacro %}{{ f(0) }}".into(),
        "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}".into(),
        "{% set ns = namespace() %}{% set ns.me = ns %}{{ ns }}".into(),
    ] {
        assert_eq!(render(&source, json!([])), Err(TemplateError::TooDeep), "{source}");
    }
}

#[test]
fn small_values_that_are_endless_to_walk_are_stopped() {
    let doubled = "{% set ns = namespace(a=[0], b=[0]) %}{% for i in range(60) %}{% set ns.a = [ns.a, ns.a] %}{% set ns.b = [ns.b, ns.b] %}{% endfor %}";
    for use_them in [
        "{{ ns.a == ns.b }}",
        "{{ ns.a != ns.b }}",
        "{{ ns.a < ns.b }}",
        "{{ ns.a in [ns.b] }}",
        "{{ [ns.a].count(ns.b) }}",
        "{{ [ns.a].index(ns.b) }}",
        "{{ [ns.a, ns.b] | sort }}",
        "{{ [ns.a, ns.b] | max }}",
        "{{ ns.a is eq ns.b }}",
        "{{ [ns.a] | select('eq', ns.b) | list }}",
        "{{ {'k': ns.a} == {'k': ns.b} }}",
        "{% for x in [1, 2] %}{{ loop.changed(ns.a if x == 1 else ns.b) }}{% endfor %}",
        "{{ ns.a }}",
        "{{ ns.a ~ '' }}",
        "{{ ns.a | tojson }}",
        "{{ '%s' % [ns.a] }}",
    ] {
        let found = render(&format!("{doubled}{use_them}"), json!([])).unwrap_err();
        let bounded = matches!(found, TemplateError::TooManySteps | TemplateError::TooMuchText);
        assert!(bounded, "{use_them}: {found}");
    }
}

#[test]
fn values_that_hold_each_other_are_freed() {
    // A scope and a namespace that hold themselves: nothing to see but a leak, and no endless walk.
    let source = "{% set ns = namespace() %}{% set ns.me = [ns] %}{% macro f() %}{{ ns.me is sequence }}{% endmacro %}\
                  {% set ns.f = f %}{{ ns.f() }}{{ ns == ns }}{{ ns.me == ns.me }}";
    assert_eq!(render(source, json!([])).unwrap(), "TrueTrueTrue");
}

#[test]
fn a_long_conversation_has_its_budget() {
    let long = "x".repeat(1 << 20);
    let source = "{% macro f(text) %}{% for i in range(30) %}{{ text }}{% endfor %}{% endmacro %}{{ f(messages[0]) }}";
    assert_eq!(render(source, json!([long])).map(|text| text.len()), Ok(30 << 20));
    let messages: Vec<Value> = (0..20_000).map(|at| json!({"role": "user", "content": at.to_string()})).collect();
    let source = include_str!("builtin/chatml.jinja");
    assert!(render(source, Value::Array(messages)).is_ok());
}

#[test]
fn nesting_of_source_and_input_is_bounded() {
    let deep = |open: &str, close: &str, n: usize| format!("{}1{}", open.repeat(n), close.repeat(n));
    for n in [30, 100_000] {
        for source in [
            format!("{{{{ {} }}}}", deep("(", ")", n)),
            format!("{{{{ {} }}}}", deep("[", "]", n)),
            format!("{{{{ {}1 }}}}", "-".repeat(n)),
            format!("{{{{ {}1 }}}}", "not ".repeat(n)),
            format!("{{{{ 1{} }}}}", " if 1 else 1".repeat(n)),
            deep("{% if 1 %}", "{% endif %}", n),
        ] {
            let found = ChatTemplate::new(&source);
            assert_eq!(found.is_ok(), n == 30, "{n} {:?}", &source[..20]);
        }
    }
    // Chains are not nested.
    let chain = format!("{{{{ 1{} }}}}", "+1".repeat(50_000));
    assert_eq!(render(&chain, json!([])).unwrap(), "50001");
    let mut message = json!("x");
    for _ in 0..120 {
        message = json!([message]);
    }
    assert_eq!(render("{{ messages | length }}", json!([message])).unwrap(), "1");
    for _ in 0..1000 {
        message = json!([message]);
    }
    assert_eq!(render("{{ messages | length }}", json!([message])), Err(TemplateError::TooDeep));
}

#[test]
fn the_deepest_nesting_fits_a_small_stack() {
    // A page's worker has a megabyte of stack in all.
    let deepest = || {
        for source in [
            "{% macro f(n) %}{% if 1 %}{% for i in [1] %}{{ (f(n + 1) | trim) ~ '' }}{% endfor %}{% endif %}{% endmacro %}{{ f(0) }}",
            "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}",
            "{% macro f() %}{% call f() %}{{ caller() }}{% endcall %}{% endmacro %}{% call f() %}x{% endcall %}",
            "{% set ns = namespace(l=[]) %}{% for i in range(126) %}{% set ns.l = [ns.l] %}{% endfor %}\
             {{ ns.l }}{{ ns.l | tojson }}{{ ns.l == [ns.l] }}{{ ns.l < [ns.l] }}{{ f() }}",
        ] {
            render(source, json!([])).unwrap_err();
        }
        for nested in ["(", "[", "{1:", "-", "not ", "f(", "a[", "1 if 1 else "] {
            assert!(ChatTemplate::new(&format!("{{{{ {}", nested.repeat(20_000))).is_err(), "{nested}");
        }
    };
    std::thread::Builder::new().stack_size(512 << 10).spawn(deepest).unwrap().join().unwrap();
}
