//! Which bytes of a file a client asks for (RFC 9110, 14).

use crate::number;

/// So many ranges are looked at; who asks for more gets the whole file.
const MOST: usize = 8;
/// Ranges that are so close are sent as one: what lies between is shorter than the head of a part.
const GAP: u64 = 80;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) first: u64,
    /// At least 1.
    pub(crate) length: u64,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Whole,
    /// One or more, none of which touches another, in the order in which they were asked for.
    Parts(Vec<Range>),
    Outside,
}

/// Reads the value of a `Range` header. What is not written as it should be asks for the whole.
pub(crate) fn asked(value: &str, bytes: u64) -> Asked {
    let Some(list) = of_bytes(value) else { return Asked::Whole };
    let mut parts = Vec::new();
    let mut is_outside = false;
    let items = list.split(',').map(|item| item.trim_matches([' ', '\t']));
    for (index, item) in items.filter(|item| !item.is_empty()).enumerate() {
        if index == MOST {
            return Asked::Whole;
        }
        match one(item, bytes) {
            One::Part(range) => merge(&mut parts, range),
            One::Outside => is_outside = true,
            One::Malformed => return Asked::Whole,
        }
    }
    match (parts.is_empty(), is_outside) {
        (false, _) => Asked::Parts(parts),
        (true, true) => Asked::Outside,
        (true, false) => Asked::Whole,
    }
}

impl Range {
    pub(crate) fn end(self) -> u64 {
        self.first + self.length
    }

    fn is_near(self, other: Self) -> bool {
        self.first <= other.end().saturating_add(GAP)
            && other.first <= self.end().saturating_add(GAP)
    }

    fn with(self, other: Self) -> Self {
        let first = self.first.min(other.first);
        Self { first, length: self.end().max(other.end()) - first }
    }
}

enum One {
    Part(Range),
    Outside,
    Malformed,
}

fn of_bytes(value: &str) -> Option<&str> {
    let (unit, list) = value.split_once('=')?;
    unit.eq_ignore_ascii_case("bytes").then_some(list)
}

fn one(item: &str, bytes: u64) -> One {
    let Some((first, last)) = item.split_once('-') else { return One::Malformed };
    let (first, end) = match (number::parse(first), number::parse(last)) {
        (Some(first), Some(last)) if first <= last => (first, last.saturating_add(1).min(bytes)),
        (Some(first), None) if last.is_empty() => (first, bytes),
        (None, Some(count)) if first.is_empty() => (bytes.saturating_sub(count), bytes),
        _ => return One::Malformed,
    };
    if first >= end {
        return One::Outside;
    }
    One::Part(Range { first, length: end - first })
}

/// Adds a range, and makes one of it and those that it comes near. There are no more than [`MOST`].
fn merge(parts: &mut Vec<Range>, mut range: Range) {
    let mut at = parts.len();
    while let Some(near) = parts.iter().position(|part| part.is_near(range)) {
        range = range.with(parts.remove(near));
        at = at.min(near);
    }
    parts.insert(at.min(parts.len()), range);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn part(first: u64, length: u64) -> Asked {
        Asked::Parts(vec![Range { first, length }])
    }

    #[test]
    fn one_range_is_honoured() {
        assert_eq!(asked("bytes=0-3", 10), part(0, 4));
        assert_eq!(asked("bytes=3-", 10), part(3, 7));
        assert_eq!(asked("bytes=-3", 10), part(7, 3));
        assert_eq!(asked("bytes=8-99", 10), part(8, 2));
        assert_eq!(asked("bytes=-99", 10), part(0, 10));
        assert_eq!(asked("Bytes=0-18446744073709551615", 10), part(0, 10));
    }

    #[test]
    fn a_range_of_no_bytes_is_outside() {
        for range in ["bytes=10-", "bytes=10-12", "bytes=-0", "bytes=10-, 11-"] {
            assert_eq!(asked(range, 10), Asked::Outside, "{range}");
        }
        assert_eq!(asked("bytes=0-", 0), Asked::Outside);
    }

    #[test]
    fn what_is_no_range_gets_the_whole() {
        for range in
            ["bytes=-", "bytes=3-2", "lines=1-2", "bytes=x-y", "1-2", "bytes=", "bytes=1-2,x"]
        {
            assert_eq!(asked(range, 10), Asked::Whole, "{range}");
        }
    }

    #[test]
    fn several_ranges_come_in_their_order_and_near_ones_as_one() {
        let (first, second) = (Range { first: 500, length: 10 }, Range { first: 0, length: 10 });
        assert_eq!(asked("bytes=500-509, 0-9", 1000), Asked::Parts(vec![first, second]));
        assert_eq!(asked("bytes=0-9,20-29,,5-7", 1000), part(0, 30));
        let joined = "bytes=0-9,300-309,150-159,80-249";
        assert_eq!(asked(joined, 1000), part(0, 310));
        assert_eq!(asked("bytes=0-9,2000-", 1000), part(0, 10));
    }

    #[test]
    fn who_asks_for_too_many_gets_the_whole() {
        let many = |count: u64| {
            let ranges = (0..count).map(|at| format!("{}-{}", at * 1000, at * 1000));
            format!("bytes={}", ranges.collect::<Vec<_>>().join(","))
        };
        assert!(matches!(asked(&many(8), 100_000), Asked::Parts(parts) if parts.len() == 8));
        assert_eq!(asked(&many(9), 100_000), Asked::Whole);
        assert_eq!(asked(&many(100_000), 100_000_000), Asked::Whole);
    }

    proptest! {
        #[test]
        fn parts_lie_in_the_file_and_apart_and_cover_what_was_asked_for(
            ranges in prop::collection::vec((0..3000_u64, 0..400_u64), 1..10),
            bytes in 1..2500_u64,
        ) {
            let texts = ranges.iter().map(|(first, more)| format!("{first}-{}", first + more));
            let value = format!("bytes={}", texts.collect::<Vec<_>>().join(","));
            let Asked::Parts(parts) = asked(&value, bytes) else { return Ok(()) };
            prop_assert!(parts.len() <= MOST);
            for (index, part) in parts.iter().enumerate() {
                prop_assert!(part.length > 0 && part.end() <= bytes);
                prop_assert!(parts[index + 1..].iter().all(|other| !other.is_near(*part)));
            }
            for (first, more) in ranges {
                for byte in first..=(first + more).min(bytes - 1) {
                    prop_assert!(parts.iter().any(|it| it.first <= byte && byte < it.end()));
                }
            }
        }
    }
}
