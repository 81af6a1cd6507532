use super::*;

const SESSION: Group = Group { number: 1, is_session: true };
const KEY: Group = Group { number: 2, is_session: false };
const SAME: u64 = 7;

struct World {
    races: Arc<Races<&'static str>>,
    start: Instant,
}

impl World {
    fn new() -> World {
        World { races: Races::new(), start: Instant::now() }
    }

    fn at(&self, ms: u64) -> Instant {
        self.start + Duration::from_millis(ms)
    }

    fn seen(&self, from: u64, until: u64, whole: u64) -> Seen {
        Seen { begun: self.at(from), ended: self.at(until), whole }
    }

    /// A call that is done on both sides, decided alike.
    fn done(&self, group: Group, (from, until): (u64, u64), whole: u64, is_refused: bool) {
        let ticket = self.races.begin(group, self.at(from));
        ticket.done(self.seen(from, until, whole), [is_refused; 2]);
    }

    fn flipped(&self, group: Group, (from, until): (u64, u64), whole: u64, flip: Flip) -> Outcome<&'static str> {
        let ticket = self.races.begin(group, self.at(from));
        let (number, seen) = (ticket.number(), self.seen(from, until, whole));
        ticket.done(seen, [flip == Flip::Breach, flip == Flip::Lockout]);
        match self.races.flipped(group, Some(number), seen, flip, "leg") {
            Outcome::Waits(number) => self.races.look_again(group, number, false).unwrap_or(Outcome::Waits(number)),
            outcome => outcome,
        }
    }
}

#[test]
fn a_flip_that_no_other_call_overlaps_is_what_it_is() {
    let world = World::new();
    world.done(SESSION, (0, 10), SAME, false);
    for (flip, at) in [(Flip::Breach, 20), (Flip::Lockout, 40)] {
        assert_eq!(world.flipped(SESSION, (at, at + 10), SAME, flip), Outcome::Stays("leg"));
    }
    world.done(KEY, (0, 100), SAME, false);
    assert_eq!(world.flipped(SESSION, (60, 70), SAME, Flip::Breach), Outcome::Stays("leg"), "of another session");
}

#[test]
fn two_calls_that_are_the_same_exchange_their_legs() {
    let world = World::new();
    let (first, second) = (world.races.begin(SESSION, world.at(0)), world.races.begin(SESSION, world.at(1)));
    let (a, b) = (world.seen(0, 10, SAME), world.seen(1, 12, SAME));
    let number = first.number();
    first.done(a, [false, true]);
    assert_eq!(world.races.flipped(SESSION, Some(number), a, Flip::Lockout, "a"), Outcome::Waits(number));
    assert_eq!(world.races.look_again(SESSION, number, false), None, "the other is on its way");
    let other = second.number();
    second.done(b, [true, false]);
    assert_eq!(world.races.flipped(SESSION, Some(other), b, Flip::Breach, "b"), Outcome::Stays("a"));
    assert_eq!(world.races.look_again(SESSION, number, false), Some(Outcome::Stays("b")));
    assert_eq!(world.flipped(SESSION, (20, 30), SAME, Flip::Breach), Outcome::Stays("leg"), "nothing came apart");
}

#[test]
fn more_let_in_among_calls_that_are_the_same_is_a_breach() {
    let world = World::new();
    world.done(SESSION, (0, 10), SAME, false);
    assert_eq!(world.flipped(SESSION, (1, 12), SAME, Flip::Breach), Outcome::Stays("leg"));
    // Fewer may be a race of legacy's own.
    world.done(KEY, (0, 10), SAME, false);
    assert_eq!(world.flipped(KEY, (1, 12), SAME, Flip::Lockout), Outcome::Doubted("leg", Undetermined::Raced));
}

#[test]
fn calls_that_were_refused_explain_nothing() {
    for is_refused in [true, false] {
        let world = World::new();
        world.done(SESSION, (0, 10), 8, is_refused);
        let outcome = world.flipped(SESSION, (1, 12), SAME, Flip::Breach);
        let raced = Outcome::Doubted("leg", Undetermined::Raced);
        assert_eq!(outcome, if is_refused { Outcome::Stays("leg") } else { raced });
    }
}

#[test]
fn a_session_that_may_have_come_apart_is_doubted_and_a_key_is_not() {
    let raced = Outcome::Doubted("leg", Undetermined::Raced);
    let unknown = Outcome::Doubted("leg", Undetermined::OrderUnknown);
    let world = World::new();
    world.done(SESSION, (0, 10), 8, false);
    assert_eq!(world.flipped(SESSION, (1, 12), SAME, Flip::Breach), raced);
    assert_eq!(world.flipped(SESSION, (20, 30), SAME, Flip::Breach), unknown);
    // Of a key the same flip in a second race is one that no order explains.
    world.done(KEY, (0, 10), 8, false);
    assert_eq!(world.flipped(KEY, (1, 12), SAME, Flip::Breach), raced);
    world.done(KEY, (20, 30), 8, false);
    assert_eq!(world.flipped(KEY, (21, 32), SAME, Flip::Breach), Outcome::Stays("leg"));
    assert_eq!(world.flipped(KEY, (40, 50), SAME, Flip::Breach), Outcome::Stays("leg"));
    // Done by one side alone, with an effect or without.
    for (is_refused, expected) in [(true, Outcome::Stays("leg")), (false, unknown)] {
        let world = World::new();
        let lost = world.races.begin(SESSION, world.at(0));
        lost.answered(is_refused);
        drop(lost);
        assert_eq!(world.flipped(SESSION, (60_000, 60_010), SAME, Flip::Breach), expected);
    }
}

#[test]
fn a_call_that_never_ends_is_waited_for_no_longer_than_is_given() {
    for (answered, expected) in [
        (None, Outcome::Doubted("leg", Undetermined::Raced)),
        (Some(false), Outcome::Doubted("leg", Undetermined::Raced)),
        (Some(true), Outcome::Stays("leg")),
    ] {
        let world = World::new();
        let open = world.races.begin(SESSION, world.at(0));
        answered.into_iter().for_each(|is_refused| open.answered(is_refused));
        let Outcome::Waits(number) = world.flipped(SESSION, (5, 10), SAME, Flip::Breach) else { panic!("it waits") };
        assert_eq!(world.races.look_again(SESSION, number, false), None);
        assert_eq!(world.races.look_again(SESSION, number, true), Some(expected));
    }
}

#[test]
fn what_is_kept_is_bounded() {
    let world = World::new();
    for number in 0..200_000 {
        let group = Group { number, is_session: true };
        world.done(group, (0, 1), SAME, false);
        world.done(SESSION, (number, number + 1), SAME, false);
    }
    let groups: usize = world.races.shards.iter().map(|shard| shard.lock().expect("free").len()).sum();
    assert!(groups <= SHARDS * GROUPS_MAX, "{groups}");
    assert!(world.races.shard(SESSION).peek(&1).is_some_and(|calls| calls.changes.len() <= CHANGES_MAX));
}
