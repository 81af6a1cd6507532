//! Clients with several tabs against two services, equal or not, mirrored in the order in which answers end.
//!
//! Every number is drawn from a seed, and time is a number: the same run each time, on any machine.

use std::collections::{HashMap, HashSet};

use super::*;

const CLIENTS: u64 = 100_000;

#[test]
fn racing_clients_of_two_equal_services_make_no_breach_and_no_lockout() {
    let counted = run(1, CLIENTS, |_| Fault::None);
    assert_eq!((counted.breaches, counted.lockouts), (0, 0), "{counted:?}");
    assert!(counted.raced > 1_000 && counted.flips > 10_000, "the races were there: {counted:?}");
    // Most races leave no doubt: of calls that are the same it does not matter which was first.
    assert!(counted.raced + counted.order_unknown < counted.flips / 3, "{counted:?}");
}

#[test]
fn a_breach_in_one_of_a_thousand_calls_is_found_within_its_first_twenty() {
    for seed in 0..40 {
        let counted = run(seed, 20_000, |draw| if draw.below(1_000) == 0 { Fault::LetsIn } else { Fault::None });
        let found = counted.found_after.expect("it is found");
        assert!(found <= 20, "seed {seed}: {counted:?}");
    }
}

#[test]
fn a_breach_that_is_there_only_in_a_race_is_found() {
    for seed in 0..100 {
        let counted = run(seed, 500, |_| Fault::LetsInBothOfARace);
        let found = counted.found_after.expect("it is found");
        assert!(found <= 20, "seed {seed}: {counted:?}");
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    None,
    /// Whoever would have to be refused is let in.
    LetsIn,
    /// The same, where the token was used up by a call that this one overlaps.
    LetsInBothOfARace,
}

#[derive(Debug, Default)]
struct Counted {
    flips: u64,
    breaches: u64,
    lockouts: u64,
    raced: u64,
    order_unknown: u64,
    /// How often the candidate had been wrong when a breach was counted first.
    found_after: Option<u64>,
    wrong: u64,
}

/// A service with single-use tokens: each refresh gives the next one, a logout ends all.
#[derive(Default)]
struct Service {
    /// Tokens in force by client.
    tokens: HashMap<u64, HashSet<u64>>,
    ended: HashSet<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Refresh,
    Look,
    Logout,
}

#[derive(Clone, Copy, Debug)]
struct Asked {
    client: u64,
    kind: Kind,
    token: u64,
    begun: u64,
    worked_on: u64,
    ended: u64,
}

/// What a side did: let in or not, and the token that it issued.
type Leg = (bool, Option<u64>);

impl Service {
    fn answer(&mut self, asked: &Asked, token: u64, next: u64) -> Leg {
        let Asked { client, kind, .. } = *asked;
        let tokens = self.tokens.entry(client).or_insert_with(|| HashSet::from([0]));
        match kind {
            Kind::Look => (!self.ended.contains(&client), None),
            Kind::Logout => {
                self.ended.insert(client);
                (true, None)
            }
            Kind::Refresh if !self.ended.contains(&client) && tokens.remove(&token) => {
                tokens.insert(next);
                (true, Some(next))
            }
            Kind::Refresh => (false, None),
        }
    }
}

struct Draw(u64);

impl Draw {
    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// The calls of one client: a race, then what follows, with the token that legacy gave it.
fn tabs(draw: &mut Draw, client: u64) -> Vec<Asked> {
    let mut call = |kind, at: u64| {
        let (wait, work) = (1 + draw.below(20), 1 + draw.below(40));
        let worked_on = at + wait;
        Asked { client, kind, token: 0, begun: at, worked_on, ended: worked_on + work }
    };
    let others = match client % 10 {
        0 => vec![Kind::Refresh, Kind::Logout],
        1 => vec![Kind::Refresh, Kind::Look],
        2 => vec![Kind::Refresh, Kind::Refresh, Kind::Refresh],
        // Not together: the second comes too late, and is refused by both.
        3 => return vec![call(Kind::Refresh, 0), call(Kind::Refresh, 500)],
        _ => vec![Kind::Refresh, Kind::Refresh],
    };
    let mut calls: Vec<Asked> = others.into_iter().enumerate().map(|(at, kind)| call(kind, at as u64 * 7)).collect();
    calls.sort_by_key(|call| call.worked_on);
    calls
}

fn run(seed: u64, clients: u64, mut fault: impl FnMut(&mut Draw) -> Fault) -> Counted {
    let (mut draw, mut counted, start) = (Draw(seed), Counted::default(), Instant::now());
    let races = Races::<Leg>::new();
    for number in 0..clients {
        let calls = tabs(&mut draw, number);
        let mut client = Client {
            races: &races,
            group: Group { number, is_session: true },
            zero: start + Duration::from_millis(number * 10),
            legacy: Service::default(),
            candidate: Service::default(),
            names: HashMap::from([(0, 0)]),
        };
        let token = client.play(&calls, &mut counted, || fault(&mut draw)).unwrap_or(0);
        // The tab that was let in goes on with what it was given.
        let next = Asked { client: number, kind: Kind::Refresh, token, begun: 2_000, worked_on: 2_001, ended: 2_002 };
        let look = Asked { kind: Kind::Look, begun: 2_010, worked_on: 2_011, ended: 2_012, ..next };
        client.play(&[next, look], &mut counted, || fault(&mut draw));
        if counted.found_after.is_some() {
            break;
        }
    }
    counted
}

/// A client and the two services, each with what it knows of it.
struct Client<'a> {
    races: &'a Arc<Races<Leg>>,
    group: Group,
    zero: Instant,
    legacy: Service,
    candidate: Service,
    /// Tokens of the candidate by those of legacy.
    names: HashMap<u64, u64>,
}

impl Client<'_> {
    /// Plays some calls; the last token that legacy issued.
    fn play(&mut self, calls: &[Asked], counted: &mut Counted, fault: impl FnMut() -> Fault) -> Option<u64> {
        // Legacy works on them in this order.
        let token = |index: usize| calls[index].begun + index as u64 + 1;
        let by_legacy: Vec<Leg> =
            (0..calls.len()).map(|index| self.legacy.answer(&calls[index], calls[index].token, token(index))).collect();
        let settled = self.mirror(calls, &by_legacy, counted, fault);
        for (index, outcome) in settled {
            self.count(by_legacy[index], outcome, counted);
        }
        by_legacy.iter().filter_map(|leg| leg.1).max()
    }

    /// The mirror asks the candidate in the order in which answers ended.
    fn mirror(
        &mut self,
        calls: &[Asked],
        by_legacy: &[Leg],
        counted: &mut Counted,
        mut fault: impl FnMut() -> Fault,
    ) -> Vec<(usize, Outcome<Leg>)> {
        let (races, group) = (self.races, self.group);
        let begin = |call: &Asked| (call.kind != Kind::Look).then(|| races.begin(group, self.time(call.begun)));
        let mut tickets: Vec<Option<Ticket<Leg>>> = calls.iter().map(begin).collect();
        let mut order: Vec<usize> = (0..calls.len()).collect();
        order.sort_by_key(|&index| (calls[index].ended, index));
        let (mut waiting, mut settled) = (Vec::new(), Vec::new());
        for index in order {
            let leg = self.candidate_leg(calls, index, counted, fault());
            let (call, lets_in) = (&calls[index], by_legacy[index].0);
            let whole = call.token << 2 | call.kind as u64;
            let seen = Seen { begun: self.time(call.begun), ended: self.time(call.ended), whole };
            let ticket = tickets[index].take();
            let own = ticket.as_ref().map(Ticket::number);
            ticket.into_iter().for_each(|ticket| ticket.done(seen, [!lets_in, !leg.0]));
            counted.flips += u64::from(lets_in != leg.0);
            let outcome = match (lets_in, leg.0) {
                (true, false) => races.flipped(group, own, seen, Flip::Lockout, leg),
                (false, true) => races.flipped(group, own, seen, Flip::Breach, leg),
                _ => Outcome::Stays(leg),
            };
            match outcome {
                Outcome::Waits(number) => waiting.push((number, index)),
                outcome => settled.push((index, outcome)),
            }
            waiting.retain(|&(number, index)| {
                let outcome = races.look_again(group, number, false);
                let waits = outcome.is_none();
                settled.extend(outcome.map(|outcome| (index, outcome)));
                waits
            });
        }
        assert!(waiting.is_empty(), "everything is done");
        settled
    }

    fn candidate_leg(&mut self, calls: &[Asked], index: usize, counted: &mut Counted, fault: Fault) -> Leg {
        let call = &calls[index];
        let token = self.names.get(&call.token).copied().unwrap_or(call.token);
        let leg = self.candidate.answer(call, token, 1_000_000 + call.begun + index as u64 + 1);
        let others = || calls.iter().filter(|other| other.begun < call.ended && call.begun < other.ended);
        let is_wrong = match fault {
            Fault::None => false,
            Fault::LetsIn => !leg.0,
            Fault::LetsInBothOfARace => !leg.0 && call.kind == Kind::Refresh && others().count() > 1,
        };
        counted.wrong += u64::from(is_wrong);
        if is_wrong { (true, None) } else { leg }
    }

    fn count(&mut self, by_legacy: Leg, outcome: Outcome<Leg>, counted: &mut Counted) {
        let leg = match outcome {
            Outcome::Doubted(_, Undetermined::OrderUnknown) => {
                counted.order_unknown += 1;
                return;
            }
            Outcome::Doubted(..) => {
                counted.raced += 1;
                return;
            }
            Outcome::Stays(leg) => leg,
            Outcome::Waits(_) => unreachable!("it was looked at again"),
        };
        if let (Some(of_legacy), Some(of_candidate)) = (by_legacy.1, leg.1) {
            self.names.insert(of_legacy, of_candidate);
        }
        counted.lockouts += u64::from(by_legacy.0 && !leg.0);
        if !by_legacy.0 && leg.0 {
            counted.breaches += 1;
            counted.found_after = counted.found_after.or(Some(counted.wrong));
        }
    }

    fn time(&self, ms: u64) -> Instant {
        self.zero + Duration::from_millis(ms)
    }
}
