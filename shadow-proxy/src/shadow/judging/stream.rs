//! A stream of exchanges, each judged as `shadow-proxy run` judges it, and by Diffy's rule.

use std::collections::{HashMap, HashSet};

use crate::exchange::{Kind, Leg, Severity, Side};
use crate::shadow::again::{Again, AgainPolicy, Ask};
use crate::shadow::compare::{Comparer, Comparison};
use crate::shadow::endpoint::Endpoints;
use crate::shadow::noise::{self, AA_PAIRS_MIN, FieldCount, Place, Status, Suspect};
use crate::shadow::record::{self, Row};
use crate::shadow::redact::{Redactor, ShownDifference};
use crate::shadow::rules::{Day, RawRule, Rules};
use crate::shift::evidence::EndpointCount;

use super::changes::Change;
use super::diffy::{self, Counters, Seen};
use super::random::Random;
use super::service::{Asked, ENDPOINT, WORDS, Whose, reply};

pub(super) struct Stream {
    run: u64,
    pairs: Vec<Pair>,
    /// Of the candidate that is like legacy.
    tally: Tally,
    bench: Bench,
}

/// What an exchange meets on its way to the store.
struct Bench {
    comparer: Comparer,
    redactor: Redactor,
}

/// What stays of an exchange when another candidate answers it.
struct Pair {
    asked: Asked,
    legacy: Leg,
    /// Where legacy differs from itself when it is asked again, and whether it would have been.
    again: Vec<ShownDifference>,
    is_asked_again: bool,
    candidate: Counted,
}

/// What an exchange adds to the counts, ours and Diffy's.
struct Counted {
    suspects: Vec<(Place, Severity, bool)>,
    fields: Vec<FieldCount>,
    diffys: HashSet<diffy::Field>,
}

/// What so many exchanges come to.
#[derive(Clone, Default)]
pub(super) struct Tally {
    exchanges: u64,
    suspects: HashMap<(Place, Severity, bool), i64>,
    sampled: Fields,
    always: Fields,
    diffys: HashMap<diffy::Field, Counters>,
}

/// What is known from the calls for which legacy was asked twice.
#[derive(Clone, Default)]
struct Fields {
    aa_pairs: u64,
    counts: HashMap<Place, Discordant>,
}

#[derive(Clone, Copy, Default)]
struct Discordant {
    b: i64,
    c: i64,
    both: i64,
}

/// What is called different.
#[derive(Default)]
pub(super) struct Called {
    /// By us, with legacy asked twice for 500 calls and then for 5 in 100.
    pub(super) sampled: HashSet<(String, Kind)>,
    /// By us, with legacy asked twice for each call, as Diffy does.
    pub(super) always: HashSet<(String, Kind)>,
    pub(super) diffys: HashSet<diffy::Field>,
}

impl Stream {
    /// Legacy and a candidate that is like it, in everything but its noise. Whoever `looks` sees the tally after each
    /// exchange.
    pub(super) fn new(run: u64, exchanges: u64, mut looks: impl FnMut(&Tally)) -> Stream {
        let policy = AgainPolicy { pairs: AA_PAIRS_MIN, ..AgainPolicy::default() };
        let again = Again::with_key(policy, [run as u8; 16], HashMap::new());
        let mut stream = Stream { run, pairs: Vec::new(), tally: Tally::default(), bench: Bench::new() };
        for index in 0..exchanges {
            let asked = Asked::new(run, index);
            let [legacy, second, candidate] = [Whose::Legacy, Whose::LegacyAgain, Whose::Candidate]
                .map(|whose| reply(&asked, run, index, whose).leg());
            let again_differs = stream.bench.shown(&stream.bench.compared(&asked, &legacy, &second));
            let pair = Pair {
                asked,
                is_asked_again: again.ask(Side::Legacy, ENDPOINT) != Ask::Once,
                candidate: stream.bench.counted(&asked, &legacy, &candidate, &again_differs),
                again: again_differs,
                legacy,
            };
            // Diffy asks a second legacy each time.
            stream.tally.count_pair(&pair, &differences_of_diffy(&pair.legacy, &second));
            looks(&stream.tally);
            stream.pairs.push(pair);
        }
        stream
    }

    /// The candidate changes in one answer after the other, in random order; what is called different once so many have.
    pub(super) fn changed(&self, change: &Change, shares: &[f64]) -> Vec<Called> {
        let mut random = Random::new(self.run, 4, change.name.len() as u64);
        let mut order: Vec<usize> =
            (0..self.pairs.len()).filter(|index| (change.shows)(&self.pairs[*index].asked)).collect();
        random.shuffle(&mut order);
        let mut tally = self.tally.clone();
        let mut done = 0;
        let mut called = Vec::new();
        for share in shares {
            let wanted = ((order.len() as f64 * share) as usize).max(1);
            for index in &order[done..wanted] {
                let pair = &self.pairs[*index];
                let mut reply = reply(&pair.asked, self.run, *index as u64, Whose::Candidate);
                (change.make)(&mut reply, &mut random);
                tally.count(pair, &pair.candidate, -1);
                tally.count(pair, &self.bench.counted(&pair.asked, &pair.legacy, &reply.leg(), &pair.again), 1);
            }
            done = wanted;
            called.push(tally.called());
        }
        called
    }
}

impl Bench {
    /// With the starter rules, and what its owner would write about this service: clocks differ by a second or two.
    fn new() -> Bench {
        let clock = |field: &str| RawRule {
            name: format!("clock: {field}"),
            path: format!("body.{field}"),
            tolerance_ms: Some(2_000),
            reason: "an answer takes its time".to_owned(),
            expires: "2099-12-31".to_owned(),
            ..RawRule::default()
        };
        let rules = Rules::parse(["timestamp", "expires_at"].map(clock).into()).unwrap();
        let words = WORDS.map(str::to_owned);
        let endpoints = Endpoints::parse(&["/session".to_owned()]).unwrap();
        Bench {
            comparer: Comparer { rules, ..Comparer::default() },
            redactor: Redactor::new(&words, &endpoints).unwrap(),
        }
    }

    fn counted(&self, asked: &Asked, legacy: &Leg, candidate: &Leg, again: &[ShownDifference]) -> Counted {
        let comparison = self.compared(asked, legacy, candidate);
        let row = Row {
            at_ms: 0,
            endpoint: ENDPOINT.to_owned(),
            verdict: comparison.verdict,
            served_by: Side::Legacy,
            legacy: comparison.legacy,
            candidate: comparison.candidate,
            legacy_us: 0,
            candidate_us: 0,
            differences: self.shown(&comparison),
            counts: true,
            askable: true,
            again: Some(again.to_vec()),
            shown: None,
            samples: Vec::new(),
        };
        let (suspects, fields) = record::counted(&row);
        Counted { suspects, fields, diffys: differences_of_diffy(legacy, candidate) }
    }

    fn compared(&self, asked: &Asked, legacy: &Leg, candidate: &Leg) -> Comparison {
        self.comparer.compare(&asked.call(), legacy, candidate, ENDPOINT, Day::of_ms(0)).unwrap()
    }

    fn shown(&self, comparison: &Comparison) -> Vec<ShownDifference> {
        comparison.differences.iter().map(|difference| self.redactor.outline(difference)).collect()
    }
}

fn differences_of_diffy(one: &Leg, other: &Leg) -> HashSet<diffy::Field> {
    Seen::new(one.outcome.as_ref().unwrap()).differences(&Seen::new(other.outcome.as_ref().unwrap()))
}

impl Tally {
    fn count_pair(&mut self, pair: &Pair, noise_of_diffy: &HashSet<diffy::Field>) {
        self.exchanges += 1;
        self.always.aa_pairs += 1;
        self.sampled.aa_pairs += u64::from(pair.is_asked_again);
        for field in noise_of_diffy {
            self.diffys.entry(field.clone()).or_default().noise += 1;
        }
        self.count(pair, &pair.candidate, 1);
    }

    /// Counters add, so that they can be taken back too.
    fn count(&mut self, pair: &Pair, candidate: &Counted, times: i64) {
        for field in &candidate.diffys {
            self.diffys.entry(field.clone()).or_default().raw += times;
        }
        for suspect in &candidate.suspects {
            *self.suspects.entry(suspect.clone()).or_default() += times;
        }
        self.always.count(&candidate.fields, times);
        if pair.is_asked_again {
            self.sampled.count(&candidate.fields, times);
        }
    }

    pub(super) fn exchanges(&self) -> u64 {
        self.exchanges
    }

    /// Fields in which anything differed that could have been called different: ours, and Diffy's.
    pub(super) fn fields(&self) -> (usize, usize) {
        let unexplained = self.suspects.keys().filter(|(.., is_explained)| !is_explained).map(|(place, ..)| place);
        let ours: HashSet<_> = unexplained.map(|place| (&place.path, place.kind)).collect();
        let diffys = self.diffys.values().filter(|counters| counters.raw > 0).count();
        (ours.len(), diffys)
    }

    pub(super) fn called(&self) -> Called {
        let is_reported = |(_, counters): &(&diffy::Field, &Counters)| counters.is_reported(self.exchanges);
        Called {
            sampled: self.findings(&self.sampled),
            always: self.findings(&self.always),
            diffys: self.diffys.iter().filter(is_reported).map(|(field, _)| field.clone()).collect(),
        }
    }

    fn findings(&self, fields: &Fields) -> HashSet<(String, Kind)> {
        let endpoint = EndpointCount {
            endpoint: ENDPOINT.to_owned(),
            pairs: self.exchanges,
            askable: self.exchanges,
            aa_pairs: fields.aa_pairs,
            ..EndpointCount::default()
        };
        let seen = self.suspects.iter().filter(|(_, count)| **count > 0);
        let suspects: Vec<Suspect> = seen
            .map(|((place, severity, is_explained), _)| Suspect {
                place,
                severity: *severity,
                is_explained: *is_explained,
            })
            .collect();
        let statuses = noise::statuses(&suspects, &fields.counts(), &[endpoint]);
        let findings = suspects.iter().zip(statuses).filter(|(_, status)| *status == Status::Finding);
        findings.map(|(suspect, _)| (suspect.place.path.clone(), suspect.place.kind)).collect()
    }
}

impl Fields {
    fn count(&mut self, fields: &[FieldCount], times: i64) {
        for FieldCount { place, b, c, both } in fields {
            let counts = self.counts.entry(place.clone()).or_default();
            counts.b += *b as i64 * times;
            counts.c += *c as i64 * times;
            counts.both += *both as i64 * times;
        }
    }

    fn counts(&self) -> Vec<FieldCount> {
        let count = |(place, count): (&Place, &Discordant)| {
            let [b, c, both] = [count.b, count.c, count.both].map(|times| times as u64);
            FieldCount { place: place.clone(), b, c, both }
        };
        self.counts.iter().filter(|(_, count)| count.b + count.c + count.both > 0).map(count).collect()
    }
}
