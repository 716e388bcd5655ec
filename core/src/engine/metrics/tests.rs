use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn histogram(times: &[f64]) -> Histogram {
    let mut histogram = Histogram::default();
    times.iter().for_each(|time| histogram.record(*time));
    histogram
}

fn request() -> RequestMetrics {
    RequestMetrics {
        queue_ms: 2.0,
        prefill_ms: 30.0,
        first_token_ms: Some(40.0),
        token_ms: histogram(&[10.0, 11.0, 40.0]),
        prompt_tokens: 100,
        cached_tokens: 64,
        completion_tokens: 4,
        drafted_tokens: 8,
        accepted_tokens: 3,
    }
}

#[test]
fn summary_gives_count_mean_and_quantiles() {
    let times: Vec<f64> = (1..=1000).map(f64::from).collect();
    let Summary { count, mean, p50, p95, p99, max } = histogram(&times).summary();
    assert_eq!((count, mean, max), (1000, 500.5, 1000.0));
    for (quantile, exact) in [(p50, 500.0), (p95, 950.0), (p99, 990.0)] {
        assert!(quantile >= exact && quantile <= exact * 1.0906, "{quantile} for {exact}");
    }
    assert_eq!(Histogram::default().summary(), Summary::default());
}

#[test]
fn histogram_takes_times_that_no_clock_should_give() {
    let times = histogram(&[f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -5.0, 0.0, 1e300]);
    let Summary { count, p50, max, .. } = times.summary();
    assert_eq!((count, p50, max), (3, 0.01, 1e300));
    assert_eq!(times.quantile(1.0), 1e300, "above the last bound");
}

#[test]
fn engine_adds_up_its_requests() {
    let mut engine = EngineMetrics::default();
    engine.record(&request(), "stop");
    engine.record(&request(), "stop");
    let cancelled = RequestMetrics { first_token_ms: None, token_ms: Histogram::default(), ..request() };
    engine.record(&cancelled, "cancelled");
    assert_eq!(engine.requests, LiteMap::from_iter([("stop", 2), ("cancelled", 1)]));
    assert_eq!((engine.queue_ms.count(), engine.first_token_ms.count(), engine.token_ms.count()), (3, 2, 6));
    assert_eq!((engine.prompt_tokens, engine.cached_tokens, engine.completion_tokens), (300, 192, 12));
    assert_eq!((engine.drafted_tokens, engine.accepted_tokens), (24, 9));
}

#[test]
fn metrics_serialize_histograms_as_summaries() {
    let mut engine = EngineMetrics::default();
    engine.record(&request(), "stop");
    let json = serde_json::to_value(&engine).unwrap();
    assert_eq!(json["requests"]["stop"], 1);
    assert_eq!(json["token_ms"]["count"], 3);
    assert_eq!(json["token_ms"]["max"], 40.0);
    assert_eq!(serde_json::to_value(request()).unwrap()["first_token_ms"], 40.0);
}

#[test]
fn throughput_follows_the_last_seconds() {
    let mut throughput = Throughput::default();
    (0..600).for_each(|step| throughput.record(5, f64::from(step) * 100.0));
    let steady = throughput.per_second(59_900.0);
    assert!((steady - 50.0).abs() < 1.0, "5 tokens each 100 ms are 50 a second, not {steady}");
    assert!(throughput.per_second(119_900.0) < 0.2, "a minute later there are none");
    throughput.record(1, 0.0);
    assert!(throughput.per_second(0.0).is_finite(), "a clock that went back");
}

/// A sample of the text format.
#[derive(Debug)]
struct Sample {
    name: String,
    labels: Vec<(String, String)>,
    value: f64,
}

/// Reads the text format strictly: each family's help, type and samples together and once, names and labels as they may be.
fn parse(text: &str) -> Vec<Sample> {
    let mut samples = Vec::<Sample>::new();
    let (mut family, mut kind, mut seen, mut identities) = ("", "", BTreeSet::new(), BTreeSet::new());
    assert!(text.ends_with('\n'));
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, words) = help.split_once(' ').expect("a name and words");
            assert!(seen.insert(name) && !words.is_empty(), "{name} comes twice or without help");
            (family, kind) = (name, "");
        } else if let Some(words) = line.strip_prefix("# TYPE ") {
            let (name, words) = words.split_once(' ').expect("a name and a type");
            assert_eq!((name, kind), (family, ""));
            assert!(["counter", "gauge", "histogram"].contains(&words));
            kind = words;
        } else {
            let sample = parse_sample(line);
            let suffix = sample.name.strip_prefix(family).expect("a sample of the family");
            assert_eq!(["_bucket", "_sum", "_count"].contains(&suffix), kind == "histogram", "{line}");
            assert!(kind != "counter" || family.ends_with("_total"));
            assert!(identities.insert((sample.name.clone(), sample.labels.clone())), "{line} comes twice");
            samples.push(sample);
        }
    }
    samples
}

fn parse_sample(line: &str) -> Sample {
    let is_name = |name: &str| {
        name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
            && name.chars().all(|char| char.is_ascii_alphanumeric() || char == '_')
    };
    let (name, mut rest) = line.split_once('{').expect("labels");
    let mut labels = Vec::new();
    loop {
        let (label, value) = rest.split_once("=\"").expect("a quoted value");
        assert!(is_name(label), "{label}");
        let mut text = String::new();
        let mut chars = value.char_indices();
        rest = loop {
            match chars.next().expect("an end of the value") {
                (at, '"') => break &value[at + 1..],
                (_, '\\') => text.push(match chars.next().expect("an escape").1 {
                    'n' => '\n',
                    char @ ('\\' | '"') => char,
                    char => panic!("\\{char} is no escape"),
                }),
                (_, char) => text.push(char),
            }
        };
        labels.push((label.into(), text));
        match rest.strip_prefix(',') {
            Some(more) => rest = more,
            None => break,
        }
    }
    assert!(is_name(name), "{name}");
    let value = rest.strip_prefix("} ").expect("the end of the labels and a value").parse().expect("a number");
    Sample { name: name.into(), labels, value }
}

fn values(samples: &[Sample], name: &str, model: &str) -> Vec<f64> {
    let of = samples.iter().filter(|sample| sample.name == name && sample.labels[0] == ("model".into(), model.into()));
    of.map(|sample| sample.value).collect()
}

#[test]
fn prometheus_text_is_what_its_format_asks_for() {
    let mut one = EngineMetrics { running: 2, pages: 64, pages_used: 9, pages_shared: 3, ..EngineMetrics::default() };
    one.memory_bytes = LiteMap::from_iter([("weights", 1 << 40), ("kv_cache", 4096)]);
    one.record(&request(), "stop");
    one.record(&RequestMetrics { queue_ms: 1e12, ..request() }, "OutOfMemory");
    let hostile = "a \"quoted\\ model\nof two lines";
    let text = to_prometheus(&[("ember", &one), (hostile, &EngineMetrics::default())]);
    let samples = parse(&text);
    let value = |name: &str| values(&samples, name, "ember");
    assert_eq!(value("inglenook_requests_running"), [2.0]);
    assert_eq!(value("inglenook_requests_total"), [1.0, 1.0]);
    assert_eq!(value("inglenook_memory_bytes"), [4096.0, (1u64 << 40) as f64]);
    assert_eq!(value("inglenook_prompt_tokens_total"), [200.0]);
    assert_eq!(value("inglenook_token_seconds_count"), [6.0]);
    assert_eq!(value("inglenook_token_seconds_sum"), [0.122]);
    assert_eq!(values(&samples, "inglenook_pages", hostile), [0.0]);
}

#[test]
fn prometheus_buckets_grow_to_the_count() {
    let mut engine = EngineMetrics::default();
    engine.record(&RequestMetrics { queue_ms: 1e12, ..request() }, "stop");
    engine.record(&request(), "stop");
    let samples = parse(&to_prometheus(&[("ember", &engine)]));
    let buckets = samples.iter().filter(|sample| sample.name == "inglenook_queue_seconds_bucket");
    let buckets: Vec<(f64, f64)> = buckets
        .map(|sample| {
            let (label, bound) = &sample.labels[1];
            assert_eq!(label, "le");
            (bound.parse().expect("a bound"), sample.value)
        })
        .collect();
    assert!(buckets.is_sorted_by(|one, next| one.0 < next.0 && one.1 <= next.1), "{buckets:?}");
    assert_eq!(buckets.last(), Some(&(f64::INFINITY, 2.0)));
    for (bound, count) in &buckets[..buckets.len() - 1] {
        assert_eq!(
            *count,
            if *bound >= 0.002 { 1.0 } else { 0.0 },
            "of 2 ms and a time longer than all bounds, at {bound} s"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn quantiles_are_within_a_bucket_of_the_exact_ones(
        times in proptest::collection::vec(0.02f64..1e6, 1..200),
        q in 0.0f64..=1.0,
    ) {
        let mut sorted = times.clone();
        sorted.sort_by(f64::total_cmp);
        let exact = sorted[((q * times.len() as f64).ceil() as usize).max(1) - 1];
        let quantile = histogram(&times).quantile(q);
        prop_assert!(quantile >= exact && quantile <= exact * 1.0906, "{} for {}", quantile, exact);
    }

    #[test]
    fn merged_histograms_equal_one_of_all_times(
        one in proptest::collection::vec(0.0f64..1e7, 0..40),
        other in proptest::collection::vec(0.0f64..1e7, 0..40),
    ) {
        let mut merged = histogram(&one);
        merged.merge(&histogram(&other));
        let all = histogram(&[one, other].concat());
        prop_assert!(merged.octaves().eq(all.octaves()));
        let (merged, all) = (merged.summary(), all.summary());
        prop_assert!((merged.mean - all.mean).abs() <= 1e-9 * all.mean, "summed in another order");
        prop_assert_eq!(Summary { mean: 0.0, ..merged }, Summary { mean: 0.0, ..all });
    }
}
