//! Conditions: the client has the file already, or wants a part only of the same file (RFC 9110,
//! section 13).
//!
//! ```text
//!   If-Match, or else If-Unmodified-Since ──► not so: it failed
//!                │ so, or not asked
//!   If-None-Match, or else If-Modified-Since ──► not so: it is there already
//!                │ so, or not asked
//!   If-Range ──► not so: the whole, and not the part
//! ```
//!
//! It promises: the fields are looked at in that order; where a request has a tag, the date beside it, which proves
//! less, is not looked at; a field that should be a date and is none sets no condition.

use super::date::Date;

/// See the module's documentation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conditions {
    /// Anything only if it is one of these: the field `If-Match`.
    pub if_match: Option<String>,
    /// Anything only if it is none of these: the field `If-None-Match`.
    pub if_none_match: Option<String>,
    /// Anything only if it was changed after that: the field `If-Modified-Since`.
    pub if_modified_since: Option<String>,
    /// Anything only if it was not: the field `If-Unmodified-Since`.
    pub if_unmodified_since: Option<String>,
    /// A part only if it is this one: the field `If-Range`.
    pub if_range: Option<String>,
}

/// The tag and the date of a file at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Known<'a> {
    /// A strong tag, in its quotation marks and without a comma.
    pub(super) tag: &'a str,
    /// When it was changed last, if HTTP can write that date.
    pub(super) modified: Option<Date>,
    /// What time it is.
    pub(super) now: Date,
}

/// What they come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is sent.
    Send,
    /// The client has it already.
    NotModified,
    /// It is not what was asked for.
    Failed,
}

impl Conditions {
    /// Whether a file that is known so is sent.
    pub(super) fn judge(&self, known: &Known<'_>) -> Verdict {
        let is_same = match (&self.if_match, &self.if_unmodified_since) {
            (Some(tags), _) => names(tags, |tag| tag == known.tag),
            (None, Some(date)) => known.is_older(date).unwrap_or(true),
            (None, None) => true,
        };
        if !is_same {
            return Verdict::Failed;
        }
        let is_there = match (&self.if_none_match, &self.if_modified_since) {
            // Here a weak tag will do (section 13.1.2).
            (Some(tags), _) => names(tags, |tag| {
                tag.strip_prefix("W/").unwrap_or(tag) == known.tag
            }),
            (None, Some(date)) => known.is_older(date).unwrap_or(false),
            (None, None) => false,
        };
        match is_there {
            true => Verdict::NotModified,
            false => Verdict::Send,
        }
    }

    /// Whether a part may be sent of a file that is known so.
    pub(super) fn allow_part(&self, known: &Known<'_>) -> bool {
        // A date is no proof: a file may be changed twice in a second.
        let tag = self.if_range.as_deref().map(str::trim);
        tag.is_none_or(|tag| tag == known.tag)
    }
}

impl Known<'_> {
    /// Whether it was not changed after a date. None: that is no date, or the time of the change is
    /// not known.
    fn is_older(&self, date: &str) -> Option<bool> {
        Some(self.modified? <= Date::parse(date, self.now)?)
    }
}

/// Whether a list of tags is of all there are, or has one that `is_it`. The list is cut at each comma, which may stand
/// within a tag: of that no piece begins and ends as ours does.
fn names(tags: &str, is_it: impl Fn(&str) -> bool) -> bool {
    tags == "*" || tags.split(',').map(str::trim).any(is_it)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
    const THEN: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const AFTER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";

    fn known() -> Known<'static> {
        Known {
            tag: "\"a\"",
            modified: Date::new(784_111_777),
            now: Date::new(1_709_164_799).unwrap(),
        }
    }

    /// Those of fields in the order in which a request may have them.
    fn conditions(fields: &[(&str, &str)]) -> Conditions {
        let mut conditions = Conditions::default();
        for (name, value) in fields {
            let place = match *name {
                "match" => &mut conditions.if_match,
                "none" => &mut conditions.if_none_match,
                "since" => &mut conditions.if_modified_since,
                "until" => &mut conditions.if_unmodified_since,
                name => panic!("{name}"),
            };
            *place = Some(value.to_string());
        }
        conditions
    }

    #[test]
    fn each_is_judged_as_it_is_defined() {
        use Verdict::Failed;
        use Verdict::NotModified;
        use Verdict::Send;
        for (name, value, expected) in [
            ("match", "\"a\"", Send),
            ("match", "\"b\", \t\"a\"", Send),
            ("match", "*", Send),
            ("match", "\"b\"", Failed),
            ("match", "W/\"a\"", Failed),
            ("match", "\"b\", *", Failed),
            ("match", "a", Failed),
            ("match", "", Failed),
            ("none", "\"a\"", NotModified),
            ("none", "W/\"a\"", NotModified),
            ("none", "\"b\",W/\"a\"", NotModified),
            ("none", "*", NotModified),
            ("none", "\"b,\", \",c\"", Send),
            ("none", "w/\"a\"", Send),
            ("since", BEFORE, Send),
            ("since", THEN, NotModified),
            ("since", AFTER, NotModified),
            ("since", "yesterday", Send),
            ("until", BEFORE, Failed),
            ("until", THEN, Send),
            ("until", AFTER, Send),
            ("until", "yesterday", Send),
        ] {
            let judged = conditions(&[(name, value)]).judge(&known());
            assert_eq!(judged, expected, "{name} {value}");
        }
        assert_eq!(Conditions::default().judge(&known()), Send);
        let undated = Known {
            modified: None,
            ..known()
        };
        for field in [("since", AFTER), ("until", BEFORE)] {
            assert_eq!(conditions(&[field]).judge(&undated), Send, "{field:?}");
        }
    }

    #[test]
    fn a_tag_is_heard_before_a_date_and_what_fails_before_what_is_there() {
        let (same, other) = ("\"a\"", "\"b\"");
        for (fields, expected) in [
            ([("match", same), ("until", BEFORE)], Verdict::Send),
            ([("match", other), ("until", AFTER)], Verdict::Failed),
            ([("none", other), ("since", AFTER)], Verdict::Send),
            ([("none", same), ("since", BEFORE)], Verdict::NotModified),
            ([("match", same), ("none", same)], Verdict::NotModified),
            ([("match", other), ("none", same)], Verdict::Failed),
            ([("until", THEN), ("none", same)], Verdict::NotModified),
            ([("until", BEFORE), ("since", AFTER)], Verdict::Failed),
            ([("match", same), ("since", AFTER)], Verdict::NotModified),
        ] {
            let judged = conditions(&fields).judge(&known());
            assert_eq!(judged, expected, "{fields:?}");
        }
    }

    #[test]
    fn a_part_goes_with_the_same_tag_only() {
        for (if_range, expected) in [
            (None, true),
            (Some(" \"a\""), true),
            (Some("W/\"a\""), false),
            (Some("\"b\""), false),
            (Some("*"), false),
            (Some(THEN), false),
        ] {
            let conditions = Conditions {
                if_range: if_range.map(String::from),
                ..Conditions::default()
            };
            assert_eq!(conditions.allow_part(&known()), expected, "{if_range:?}");
        }
    }
}
