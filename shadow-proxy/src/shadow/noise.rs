//! What differs because it always does, and what differs because the candidate is another service. Pure.
//!
//! For some calls legacy is asked twice. A field in which it then differs from itself is noise, in some measure; one in
//! which it never did is not, and the first difference there is a finding. In between stands a test of pairs: of the
//! calls for which legacy was asked twice, those where only the candidate differs (`b`) against those where only legacy
//! itself does (`c`). Were the candidate a second legacy, either would be as likely as the other, whatever the rate of
//! noise (McNemar's test in its exact form); so the test also sees more difference in a field that always differs a bit.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};
use statrs::function::factorial::ln_binomial;

use crate::exchange::{Kind, Severity};
use crate::shift::evidence::EndpointCount;

use super::class::Class;

/// What a value is, on each side; none where there is none.
pub type Classes = (Option<Class>, Option<Class>);

/// Where and how answers differ, without the values.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    pub endpoint: String,
    pub path: String,
    pub kind: Kind,
    pub classes: Classes,
}

/// Of the calls for which legacy was asked twice: how many differed at a place, and from whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldCount {
    pub place: Place,
    /// The candidate differs from legacy, and legacy not from itself.
    pub b: u64,
    /// Legacy differs from itself, and the candidate not from legacy.
    pub c: u64,
    /// Both do: a field that is new each time.
    pub both: u64,
}

/// What a finding is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// The candidate answers differently.
    Finding,
    /// Legacy differs from itself in the same way, as far as one can tell.
    Noise,
    /// A rule says that it does not matter.
    Explained,
    /// Too little is known about how legacy differs from itself.
    Undecided,
}

impl Status {
    pub fn name(self) -> &'static str {
        match self {
            Status::Finding => "finding",
            Status::Noise => "noise",
            Status::Explained => "explained",
            Status::Undecided => "undecided",
        }
    }
}

/// A group of differences alike, as far as its status depends on it.
pub struct Suspect<'a> {
    pub place: &'a Place,
    pub severity: Severity,
    pub is_explained: bool,
}

/// One status for each suspect. `fields` are all that are known: the more there are, the more has to be shown of one
/// (Holm, 1979), so that in a thousand services like legacy one is called different.
pub fn statuses(suspects: &[Suspect], fields: &[FieldCount], endpoints: &[EndpointCount]) -> Vec<Status> {
    let known = Known::new(fields, endpoints);
    suspects.iter().map(|suspect| known.status(suspect)).collect()
}

struct Known<'a> {
    endpoints: HashMap<&'a str, &'a EndpointCount>,
    /// How often legacy differed from itself, by place, and by endpoint, path and way of differing.
    of_place: HashMap<&'a Place, u64>,
    of_field: HashMap<(&'a str, &'a str, Kind), u64>,
    significant: HashSet<&'a Place>,
}

impl<'a> Known<'a> {
    fn new(fields: &'a [FieldCount], endpoints: &'a [EndpointCount]) -> Known<'a> {
        let mut known = Known {
            endpoints: endpoints.iter().map(|count| (count.endpoint.as_str(), count)).collect(),
            of_place: HashMap::new(),
            of_field: HashMap::new(),
            significant: significant(fields),
        };
        for FieldCount { place, c, both, .. } in fields {
            *known.of_place.entry(place).or_default() += c + both;
            *known.of_field.entry(field(place)).or_default() += c + both;
        }
        known
    }

    fn status(&self, suspect: &Suspect) -> Status {
        let Suspect { place, severity, is_explained } = *suspect;
        let count = self.endpoints.get(place.endpoint.as_str());
        let (askable, aa_pairs) = count.map_or((0, 0), |count| (count.askable, count.aa_pairs));
        let of_place = self.of_place.get(place).copied().unwrap_or(0);
        let of_field = self.of_field.get(&field(place)).copied().unwrap_or(0);
        match severity {
            _ if is_explained => Status::Explained,
            // Who is let in is never a matter of chance.
            Severity::Breach | Severity::Lockout => Status::Finding,
            // Legacy may not be asked twice here, so that there is nothing to excuse it.
            _ if askable == 0 => Status::Finding,
            _ if of_field == 0 && aa_pairs >= AA_PAIRS_MIN => Status::Finding,
            _ if self.significant.contains(place) => Status::Finding,
            _ if of_place >= NOISE_MIN => Status::Noise,
            _ => Status::Undecided,
        }
    }
}

/// A value that is new each time says nothing about one that is gone, or of another type; the classes of values do not
/// count, because random ones stray into rare classes. What is there now and then is as often missing as added.
fn field(place: &Place) -> (&str, &str, Kind) {
    let kind = if place.kind == Kind::Added { Kind::Missing } else { place.kind };
    (&place.endpoint, &place.path, kind)
}

/// The places where the candidate differs more often than legacy differs from itself, by Holm's procedure.
fn significant(fields: &[FieldCount]) -> HashSet<&Place> {
    let mut tested: Vec<(f64, &Place)> = fields
        .iter()
        .filter(|field| field.b + field.c > 0)
        .map(|field| (chance_of_as_many(field.b, field.c), &field.place))
        .collect();
    tested.sort_by(|one, other| one.0.total_cmp(&other.0));
    let count = tested.len();
    let stands = |(index, (chance, _)): &(usize, (f64, &Place))| *chance <= ALPHA / (count - index) as f64;
    tested.into_iter().enumerate().take_while(stands).map(|(_, (_, place))| place).collect()
}

/// P[X ≥ b] for X ~ Bin(b + c, ½): how likely so lopsided a count is for a candidate that is like legacy. It is above
/// one half where b is no more than c, and then given as 1.
fn chance_of_as_many(b: u64, c: u64) -> f64 {
    if b <= c {
        return 1.0;
    }
    let of_all = b + c;
    let mut term = (ln_binomial(of_all, b) - of_all as f64 * std::f64::consts::LN_2).exp();
    let mut sum = 0.0;
    // Above the middle each term is smaller than the one before; the sum soon has all the digits it will ever have.
    for count in b..=of_all {
        let before = sum;
        sum += term;
        if sum == before {
            break;
        }
        term *= (of_all - count) as f64 / (count + 1) as f64;
    }
    sum
}

/// Pairs without any difference, after which legacy is taken to be always the same in a field: its noise is then below
/// 3/500 with 95 % confidence.
pub const AA_PAIRS_MIN: u64 = 500;

/// Times that legacy differed from itself before that is called its habit.
const NOISE_MIN: u64 = 3;

/// The chance to call any field of a service like legacy different.
const ALPHA: f64 = 0.001;

#[cfg(test)]
mod tests {
    use super::*;

    fn place(path: &str) -> Place {
        Place { endpoint: "GET /a".into(), path: path.into(), kind: Kind::Value, classes: (None, None) }
    }

    fn field(path: &str, b: u64, c: u64, both: u64) -> FieldCount {
        FieldCount { place: place(path), b, c, both }
    }

    fn status(path: &str, severity: Severity, aa_pairs: u64, fields: &[FieldCount]) -> Status {
        let askable = aa_pairs * 20;
        let endpoints = [EndpointCount { endpoint: "GET /a".into(), askable, aa_pairs, ..EndpointCount::default() }];
        let place = place(path);
        statuses(&[Suspect { place: &place, severity, is_explained: false }], fields, &endpoints)[0]
    }

    #[test]
    fn what_a_finding_is_taken_for() {
        use Status::{Finding, Noise, Undecided};
        for (what, aa_pairs, fields, expected) in [
            ("it may not be asked twice", 0, vec![], Finding),
            ("too few were asked twice", 499, vec![field("p", 1, 0, 0)], Undecided),
            ("legacy is always the same", 500, vec![field("p", 1, 0, 0)], Finding),
            ("seen before anybody was asked twice about it", 500, vec![], Finding),
            ("new each time", 500, vec![field("p", 0, 0, 500)], Noise),
            ("new each time, seen twice", 2, vec![field("p", 0, 0, 2)], Undecided),
            ("differs as often as legacy does", 500, vec![field("p", 52, 48, 30)], Noise),
            ("differs more often than legacy does", 500, vec![field("p", 80, 30, 20)], Finding),
            ("differs always, and few were asked", 20, vec![field("p", 20, 0, 0)], Finding),
            ("differs always, and fewer were asked", 9, vec![field("p", 9, 0, 0)], Undecided),
        ] {
            assert_eq!(status("p", Severity::Low, aa_pairs, &fields), expected, "{what}");
            assert_eq!(status("p", Severity::Breach, aa_pairs, &fields), Finding, "{what}");
        }
        let place = place("p");
        let explained = Suspect { place: &place, severity: Severity::High, is_explained: true };
        assert_eq!(statuses(&[explained], &[], &[]), [Status::Explained]);
    }

    #[test]
    fn noise_of_one_kind_does_not_excuse_another() {
        let of = |kind, c| FieldCount { place: Place { kind, ..place("p") }, b: 0, c, both: 0 };
        let fields = [of(Kind::Value, 400), of(Kind::Added, 3)];
        let endpoints =
            [EndpointCount { endpoint: "GET /a".into(), askable: 500, aa_pairs: 500, ..EndpointCount::default() }];
        for (kind, expected) in [
            (Kind::Value, Status::Noise),
            (Kind::Added, Status::Noise),
            (Kind::Missing, Status::Undecided),
            (Kind::Type, Status::Finding),
        ] {
            let place = Place { kind, ..place("p") };
            let suspect = Suspect { place: &place, severity: Severity::Low, is_explained: false };
            assert_eq!(statuses(&[suspect], &fields, &endpoints), [expected], "{kind:?}");
        }
    }

    /// A random id that becomes a constant text is no noise, although ids always differ.
    #[test]
    fn another_class_of_value_is_told_from_the_usual_noise() {
        let usual = (Some(Class::Uuid), Some(Class::Uuid));
        let news = (Some(Class::Uuid), Some(Class::Text));
        let of = |classes, b, c, both| FieldCount { place: Place { classes, ..place("p") }, b, c, both };
        let fields = [of(usual, 0, 50, 0), of(news, 50, 0, 0)];
        let endpoints =
            [EndpointCount { endpoint: "GET /a".into(), askable: 50, aa_pairs: 50, ..EndpointCount::default() }];
        let suspects = fields.each_ref().map(|field| Suspect {
            place: &field.place,
            severity: Severity::Low,
            is_explained: false,
        });
        assert_eq!(statuses(&suspects, &fields, &endpoints), [Status::Noise, Status::Finding]);
    }

    #[test]
    fn the_more_fields_the_more_has_to_be_shown() {
        let one = vec![field("p", 11, 0, 0)];
        assert_eq!(status("p", Severity::Low, 100, &one), Status::Finding);
        let many: Vec<_> = one.into_iter().chain((0..99).map(|n| field(&format!("q{n}"), 1, 1, 0))).collect();
        assert_eq!(status("p", Severity::Low, 100, &many), Status::Undecided);
    }

    #[test]
    fn the_chance_is_exact() {
        // The large ones were summed with another implementation of the logarithm of the gamma function.
        for (b, c, chance) in [
            (0, 5, 1.0),
            (1, 0, 0.5),
            (10, 0, 1.0 / 1_024.0),
            (3, 1, 5.0 / 16.0),
            (2, 2, 1.0),
            (5_100, 4_900, 0.023_292_763_9),
            (50_500, 49_500, 0.000_791_179_940),
        ] {
            assert!((chance_of_as_many(b, c) / chance - 1.0).abs() < 1e-6, "{b} {c}: {}", chance_of_as_many(b, c));
        }
        assert_eq!((chance_of_as_many(1_000_000, 1), chance_of_as_many(500_000, 500_001)), (0.0, 1.0));
    }
}
