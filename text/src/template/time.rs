//! `strftime_now`: the caller's time in the words of C's `strftime`, in English as Python's default locale has it.

const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// Formats a local time given in seconds since 1970-01-01 00:00. Unknown directives stay as they are.
pub(super) fn strftime(format: &str, seconds: i64) -> String {
    let time = Civil::new(seconds);
    let mut out = String::new();
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        // "%-d" and its like leave out the leading zero.
        let rest = chars.as_str();
        let unpadded = rest.starts_with('-');
        let directive = rest.chars().nth(usize::from(unpadded));
        let text = match directive {
            Some('s') => Some(seconds.to_string()),
            directive => directive.and_then(|directive| time.directive(directive)),
        };
        match (directive, text) {
            (Some(directive), Some(text)) => {
                let trimmed = if unpadded { text.trim_start_matches(['0', ' ']) } else { &text };
                out.push_str(if trimmed.is_empty() { "0" } else { trimmed });
                chars = rest[usize::from(unpadded) + directive.len_utf8()..].chars();
            }
            _ => out.push('%'),
        }
    }
    out
}

/// A moment as the calendar and the clock show it.
struct Civil {
    year: i64,
    /// 1–12.
    month: usize,
    /// 1–31.
    day: i64,
    /// 0–6 from Sunday.
    weekday: usize,
    /// 1–366.
    day_of_year: i64,
    hour: i64,
    minute: i64,
    second: i64,
}

impl Civil {
    fn new(seconds: i64) -> Self {
        // Within ±10,000 years, so that nothing below can overflow.
        let seconds = seconds.clamp(-315_000_000_000, 315_000_000_000);
        let days = seconds.div_euclid(86_400);
        let clock = seconds.rem_euclid(86_400);
        let mut year = 1970 + days.div_euclid(366);
        while days_before_year(year + 1) <= days {
            year += 1;
        }
        let day_of_year = days - days_before_year(year);
        let (mut month, mut day) = (0, day_of_year);
        while day >= days_in_month(year, month) {
            day -= days_in_month(year, month);
            month += 1;
        }
        Self {
            year,
            month: month + 1,
            day: day + 1,
            weekday: usize::try_from((days + 4).rem_euclid(7)).unwrap_or(0),
            day_of_year: day_of_year + 1,
            hour: clock / 3600,
            minute: clock / 60 % 60,
            second: clock % 60,
        }
    }

    /// The text of one directive, padded; none for an unknown one.
    fn directive(&self, directive: char) -> Option<String> {
        let hour12 = (self.hour + 11) % 12 + 1;
        let month = MONTHS[self.month - 1];
        let day = DAYS[self.weekday];
        Some(match directive {
            'Y' => self.year.to_string(),
            'y' => format!("{:02}", self.year.rem_euclid(100)),
            'm' => format!("{:02}", self.month),
            'd' => format!("{:02}", self.day),
            'e' => format!("{:2}", self.day),
            'j' => format!("{:03}", self.day_of_year),
            'B' => month.to_owned(),
            'b' | 'h' => month[..3].to_owned(),
            'A' => day.to_owned(),
            'a' => day[..3].to_owned(),
            'w' => self.weekday.to_string(),
            'H' => format!("{:02}", self.hour),
            'I' => format!("{hour12:02}"),
            'M' => format!("{:02}", self.minute),
            'S' => format!("{:02}", self.second),
            'p' => if self.hour < 12 { "AM" } else { "PM" }.to_owned(),
            'F' => format!("{}-{:02}-{:02}", self.year, self.month, self.day),
            'T' => format!("{:02}:{:02}:{:02}", self.hour, self.minute, self.second),
            'D' => format!("{:02}/{:02}/{:02}", self.month, self.day, self.year.rem_euclid(100)),
            'n' => "\n".to_owned(),
            't' => "\t".to_owned(),
            '%' => "%".to_owned(),
            _ => return None,
        })
    }
}

/// Days from 1970-01-01 to the first of January of `year` (proleptic Gregorian calendar).
fn days_before_year(year: i64) -> i64 {
    let leap_days = |year: i64| year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    (year - 1970) * 365 + leap_days(year - 1) - leap_days(1969)
}

/// `month` counts from 0.
fn days_in_month(year: i64, month: usize) -> i64 {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        1 => 28 + i64::from(is_leap),
        3 | 5 | 8 | 10 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_as_python_does() {
        // Values from Python's datetime.utcfromtimestamp(t).strftime(…).
        let format = "%d %b %Y|%-d %B %y|%A %a %w|%H:%M:%S %I %p|%j|%%|%Q";
        assert_eq!(strftime(format, 0), "01 Jan 1970|1 January 70|Thursday Thu 4|00:00:00 12 AM|001|%|%Q");
        assert_eq!(
            strftime(format, 1_709_251_199),
            "29 Feb 2024|29 February 24|Thursday Thu 4|23:59:59 11 PM|060|%|%Q"
        );
        assert_eq!(strftime("%F %T", 4_102_444_799), "2099-12-31 23:59:59");
        assert_eq!(strftime("%F %a", -1), "1969-12-31 Wed");
    }

    #[test]
    fn far_times_do_not_overflow() {
        assert!(strftime("%F", i64::MAX).starts_with("119"));
        assert!(!strftime("%F", i64::MIN).is_empty());
    }
}
