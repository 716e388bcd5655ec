//! The formats of strings, as expressions whose every match is a good one.
//!
//! Validators differ in how much of a format they check, so these are the strict readings, and narrower where that costs nothing: a date
//! is one of the calendar, a host name fits the name system, a UUID has its five groups. Sources: RFC 3339 (dates and times; durations in
//! its appendix A), RFC 5321 (mail addresses), RFC 1123 (host names), RFC 4291 (IPv6), RFC 3986 (URIs), RFC 6901 (JSON pointers).

use super::Path;
use crate::GrammarError;

const TIME: &str =
    r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,9})?(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])";
/// Every month with as many days as it has in any year, and the 29th of February in the leap years.
const DATE: &str = concat!(
    r"(?:[1-9][0-9]{3}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)",
    r"|02-(?:0[1-9]|1[0-9]|2[0-8]))",
    r"|(?:[1-9][0-9](?:0[48]|[2468][048]|[13579][26])|(?:[2468][048]|[13579][26])00)-02-29)",
);
const DURATION: &str = concat!(
    r"P(?:[0-9]{1,6}W|(?:[0-9]{1,6}Y(?:[0-9]{1,6}M(?:[0-9]{1,6}D)?)?|[0-9]{1,6}M(?:[0-9]{1,6}D)?|[0-9]{1,6}D)(?:T(?:",
    r"[0-9]{1,6}H(?:[0-9]{1,6}M(?:[0-9]{1,6}S)?)?|[0-9]{1,6}M(?:[0-9]{1,6}S)?|[0-9]{1,6}S))?|T(?:",
    r"[0-9]{1,6}H(?:[0-9]{1,6}M(?:[0-9]{1,6}S)?)?|[0-9]{1,6}M(?:[0-9]{1,6}S)?|[0-9]{1,6}S))",
);
/// At most 60 characters, and no two hyphens in a row, which would mark an encoded international name.
const LABEL: &str = "[A-Za-z0-9]{1,20}(?:-[A-Za-z0-9]{1,19}){0,2}";
const LOCAL: &str = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,20}(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,20}){0,2}";
const IPV4: &str =
    r"(?:(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])\.){3}(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])";
/// Eight groups, or fewer with one `::` for at least two.
const IPV6: &str = concat!(
    "(?:(?:H:){7}H|(?:H:){1,6}:|(?:H:){1,5}:H|(?:H:){1,4}(?::H){1,2}|(?:H:){1,3}(?::H){1,3}|(?:H:){1,2}(?::H){1,4}",
    "|H:(?::H){1,5}|:(?::H){1,6}|::)",
);
const UUID: &str = "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}";
/// One character of a path.
const PCHAR: &str = "(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9a-fA-F]{2})";
const JSON_POINTER: &str = "(?:/(?:[^~/]|~[01])*)*";

/// The expression for a format, whole (`^…$`); `None` for a name that no standard defines, which constrains nothing.
pub fn pattern(format: &str, path: &Path) -> Result<Option<String>, GrammarError> {
    let body = match format {
        "date" => DATE.to_owned(),
        "time" => TIME.to_owned(),
        "date-time" => format!("{DATE}T{TIME}"),
        "duration" => DURATION.to_owned(),
        "email" | "idn-email" => format!(r"{LOCAL}@{LABEL}(?:\.{LABEL}){{1,2}}"),
        "hostname" | "idn-hostname" => format!(r"{LABEL}(?:\.{LABEL}){{0,3}}"),
        "ipv4" => IPV4.to_owned(),
        "ipv6" => IPV6.replace('H', "[0-9a-fA-F]{1,4}"),
        "uuid" => UUID.to_owned(),
        "uri" | "iri" => uri(),
        "uri-reference" | "iri-reference" | "uri-template" => format!("(?:{}|{})", uri(), relative()),
        "json-pointer" => JSON_POINTER.to_owned(),
        "relative-json-pointer" => format!("(?:0|[1-9][0-9]{{0,8}})(?:#|{JSON_POINTER})"),
        "regex" => return Err(path.unsupported("the format `regex`; leave it out")),
        _ => return Ok(None),
    };
    Ok(Some(format!("^(?:{body})$")))
}

/// The expression for a `contentEncoding`, which validators of draft 7 assert: whole groups of RFC 4648, of which the last has no bits to spare.
pub fn encoding(name: &str) -> Option<&'static str> {
    match name {
        "base64" => Some("^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$"),
        "base64url" => Some("^(?:[A-Za-z0-9_-]{4})*$"),
        _ => None,
    }
}

/// A scheme with an authority, or with a path that has no root (`mailto:a@b`).
fn uri() -> String {
    format!(
        r"[A-Za-z][A-Za-z0-9+.-]{{0,15}}:(?://{LABEL}(?:\.{LABEL}){{0,4}}(?::[1-9][0-9]{{0,3}})?(?:/{PCHAR}*)*|{PCHAR}+){}",
        tail()
    )
}

/// A path, absolute or not, whose first segment has no colon.
fn relative() -> String {
    let first = PCHAR.replace(":@", "@");
    format!("(?:/{PCHAR}+(?:/{PCHAR}*)*|{first}+(?:/{PCHAR}*)*){}", tail())
}

/// A query and a fragment.
fn tail() -> String {
    format!(r"(?:\?(?:{PCHAR}|[/?])*)?(?:#(?:{PCHAR}|[/?])*)?")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(format: &str, text: &str) -> bool {
        let pattern = pattern(format, &Path::root("#")).unwrap().unwrap();
        regex::Regex::new(&pattern).unwrap().is_match(text)
    }

    #[test]
    fn good_ones_match_and_bad_ones_do_not() {
        for (format, good, bad) in [
            ("date", "2024-02-29", "2023-02-29"),
            ("date", "2000-02-29", "1900-02-29"),
            ("date", "1999-12-31", "1999-11-31"),
            ("time", "23:59:59.5+02:00", "24:00:00Z"),
            ("date-time", "2024-01-01T00:00:00Z", "2024-01-01 00:00:00"),
            ("duration", "P1Y2M3DT4H5M6S", "P1Y2D"),
            ("duration", "PT5M", "PT"),
            ("email", "a.b+c@example-1.com", "a..b@example.com"),
            ("hostname", "a-b.c", "-a.b"),
            ("ipv4", "255.0.10.1", "256.0.0.1"),
            ("ipv6", "fe80::1", "fe80::1::2"),
            ("ipv6", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8:9"),
            ("uuid", "123e4567-e89b-12d3-a456-426614174000", "123e4567e89b12d3a456426614174000"),
            ("uri", "https://example.com/a?b=c#d", "example.com"),
            ("uri", "mailto:a@b.c", "http://a b"),
            ("uri-reference", "a/b?c", "a b"),
            ("json-pointer", "/a/~0~1", "/a/~2"),
            ("relative-json-pointer", "1/a", "01/a"),
        ] {
            assert!(matches(format, good), "{format} {good}");
            assert!(!matches(format, bad), "{format} {bad}");
        }
    }

    #[test]
    fn names_of_no_standard_constrain_nothing() {
        assert_eq!(pattern("int32", &Path::root("#")), Ok(None));
        assert!(matches!(pattern("regex", &Path::root("#")), Err(GrammarError::Unsupported { .. })));
    }
}
