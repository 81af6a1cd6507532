//! The table `[shift]`: who goes where, in which steps, and what has to be shown for each.

use toml::Value;

use crate::shadow::rules::Day;
use crate::shift::gate;
use crate::shift::hooks::Hook;
use crate::shift::plan::{DAY_MS, Freeze, HOUR_MS, MINUTE_MS, Plan, Step, Window};
use crate::shift::weight::ALL_PPM;

use super::choice::{self, ChoiceConfig};
use super::hooks;
use super::reader::Section;

pub struct Shift {
    pub choice: ChoiceConfig,
    pub plan: Plan,
    pub hooks: Vec<Hook>,
}

const WINDOWS: &str = "[\"Mon-Fri 09:00-16:00\"]";
/// Steps of a plan; more are no longer looked at one by one.
const STEPS_MAX: usize = 32;

pub fn read(root: &mut Section, gate: &gate::Policy) -> Shift {
    let mut section = root.section("shift");
    let choice = choice::read(&mut section);
    let defaults = Plan::default();
    let margins = Margins::read(&mut section, &defaults.steps[0]);
    let steps = read_steps(&mut section, margins)
        .unwrap_or_else(|| defaults.steps.iter().cloned().map(|step| margins.of(step)).collect());
    let plan = Plan {
        latency_cap_ms: section.number("latency_cap_ms", defaults.latency_cap_ms, 1..=600_000, "milliseconds"),
        windows: section.list("windows", WINDOWS, window).unwrap_or_default(),
        freezes: section.list("freezes", "[\"2026-12-20/2027-01-02\"]", freeze).unwrap_or_default(),
        rollback_every_ms: section.span_ms("rollback_every", "10s", 1_000..=HOUR_MS),
        decommission_after_ms: section.span_ms("decommission_after", "7d", HOUR_MS..=365 * DAY_MS),
        gate: gate.clone(),
        steps,
    };
    let hooks = hooks::read(&mut section);
    section.close(root);
    Shift { choice, plan, hooks }
}

/// What the table says for all steps, and a step for itself.
#[derive(Clone, Copy)]
struct Margins {
    error_margin: f64,
    latency_margin: f64,
    confidence: f64,
}

impl Margins {
    fn read(section: &mut Section, defaults: &Step) -> Margins {
        Margins {
            error_margin: section.decimal("error_margin", defaults.error_margin, 0.000_01..=0.5),
            latency_margin: section.decimal("latency_margin", defaults.latency_margin, 0.0..=10.0),
            confidence: section.decimal("confidence", defaults.confidence, 0.5..=0.9999),
        }
    }

    fn of(self, step: Step) -> Step {
        let Margins { error_margin, latency_margin, confidence } = self;
        Step { error_margin, latency_margin, confidence, ..step }
    }
}

/// Weights alone, or tables that say more; none: the plan that is built in.
fn read_steps(section: &mut Section, margins: Margins) -> Option<Vec<Step>> {
    const EXAMPLE: &str = "[\"0.1%\", \"1%\", 50000, \"100%\"]";
    if !section.has("steps") {
        return None;
    }
    let steps: Vec<Step> = if section.is_tables("steps") {
        let mut sections = section.sections("steps", STEPS_MAX);
        let steps = sections.iter_mut().filter_map(|step| read_step(step, margins)).collect();
        sections.into_iter().for_each(|step| step.close(section));
        steps
    } else {
        section.values("steps", EXAMPLE, |value| weight(value).map(|ppm| margins.of(of_weight(ppm))))?
    };
    if !steps.is_sorted_by(|a, b| a.weight_ppm < b.weight_ppm) {
        section.wrong(
            "steps",
            "do not rise: each weight has to be above the one before",
            &format!("steps = {EXAMPLE}"),
        );
    }
    Some(steps)
}

fn read_step(step: &mut Section, margins: Margins) -> Option<Step> {
    let weight_ppm = step.needed_value("weight", "\"5%\"", weight);
    let of = margins.of(of_weight(weight_ppm.unwrap_or(ALL_PPM)));
    let Margins { error_margin, latency_margin, confidence } = Margins::read(step, &of);
    let read = Step {
        error_margin,
        latency_margin,
        confidence,
        windows: step.list("windows", WINDOWS, window).unwrap_or_default(),
        weight_ppm: of.weight_ppm,
        mismatch_ppm: step.number("mismatch_ppm", of.mismatch_ppm.into(), 1..=500_000, "ppm") as u32,
        min_dwell_ms: step.span_ms("min_dwell", &text(of.min_dwell_ms), 0..=90 * DAY_MS),
        max_dwell_ms: step.span_ms("max_dwell", "7d", MINUTE_MS..=365 * DAY_MS),
        approval: step.flag("approval", of.approval),
    };
    if read.max_dwell_ms < read.min_dwell_ms {
        step.wrong("max_dwell", "is shorter than min_dwell", "max_dwell = \"7d\"");
    }
    weight_ppm.map(|_| read)
}

/// What the built-in plan asks for at a weight.
fn of_weight(weight_ppm: u32) -> Step {
    let plan = Plan::default();
    let step = plan.step_at(weight_ppm).unwrap_or(0);
    Step { weight_ppm, ..plan.steps[step].clone() }
}

fn weight(value: &Value) -> Result<u32, String> {
    let ppm = match value {
        Value::Integer(ppm) => u32::try_from(*ppm).ok(),
        Value::String(text) => text
            .strip_suffix('%')
            .and_then(|percent| percent.trim().parse::<f64>().ok())
            .filter(|percent| (0.0..=100.0).contains(percent))
            .map(|percent| (percent * 10_000.0).round() as u32),
        _ => None,
    };
    ppm.filter(|ppm| (1..=ALL_PPM).contains(ppm))
        .ok_or_else(|| "is neither a percentage up to 100% nor parts per million from 1 to 1000000".to_owned())
}

/// As the file would have it.
fn text(ms: u64) -> String {
    format!("{}m", ms / MINUTE_MS)
}

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// `Mon-Fri 09:00-16:00`, `Sat,Sun 22:00-02:00`, `daily 09:00-16:00`.
fn window(text: &str) -> Result<Window, String> {
    let read = || {
        let (days, times) = text.split_once(' ')?;
        let (from, until) = times.trim().split_once('-')?;
        Some(Window { days: days_of(days)?, from_minute: minute(from)?, until_minute: minute(until)? })
    };
    read().ok_or_else(|| {
        "is not days and times of UTC, as in \"Mon-Fri 09:00-16:00\" or \"Sat,Sun 22:00-02:00\"".to_owned()
    })
}

fn days_of(text: &str) -> Option<[bool; 7]> {
    let day = |name: &str| DAYS.iter().position(|day| day.eq_ignore_ascii_case(name));
    let mut days = [text == "daily"; 7];
    if text == "daily" {
        return Some(days);
    }
    for part in text.split(',') {
        let (from, until) = part.split_once('-').unwrap_or((part, part));
        let (from, until) = (day(from)?, day(until)?);
        // `Sat-Mon` goes over Sunday.
        (0..=(until + 7 - from) % 7).for_each(|after| days[(from + after) % 7] = true);
    }
    Some(days)
}

/// `24:00` is the end of the day.
fn minute(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let is_number = |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(hours) || !is_number(minutes) {
        return None;
    }
    let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
    (minutes < 60 && hours * 60 + minutes <= 24 * 60).then_some(hours * 60 + minutes)
}

/// Both days are frozen, and those between.
fn freeze(text: &str) -> Result<Freeze, String> {
    let start = |day| Day::of_ms(0).days_until(day).map(|days| u64::from(days) * DAY_MS);
    let read = || {
        let (from, until) = text.split_once('/')?;
        Some(Freeze { from_ms: start(Day::parse(from)?)?, until_ms: start(Day::parse(until)?.after(1))? })
    };
    read().filter(|freeze| freeze.from_ms < freeze.until_ms).ok_or_else(|| "is not FROM/UNTIL, two days".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(toml: &str) -> Result<Plan, Vec<String>> {
        let mut root = Section::root(toml::from_str(toml).unwrap());
        let shift = read(&mut root, &gate::Policy::default());
        root.finish().map(|()| shift.plan)
    }

    #[test]
    fn nothing_said_is_the_plan_that_is_built_in() {
        assert_eq!(plan(""), Ok(Plan::default()));
        let weights = "shift.steps = [\"0.1%\", \"1 %\", 50000, \"25%\", \"50%\", \"100%\"]";
        assert_eq!(plan(weights), Ok(Plan::default()));
    }

    #[test]
    fn a_step_may_say_as_much_as_it_likes() {
        let plan = plan(
            "[[shift.steps]]\nweight = \"2%\"\n\
             [[shift.steps]]\nweight = 1000000\nmismatch_ppm = 30\nmin_dwell = \"1h 30m\"\nmax_dwell = \"2d\"\napproval = true\n\
             error_margin = 0.001\nlatency_margin = 0.1\nconfidence = 0.99\nwindows = [\"daily 09:00-16:00\"]\n\
             [shift]\nlatency_margin = 0.5\n",
        );
        let expected = [
            Step { weight_ppm: 20_000, latency_margin: 0.5, ..Plan::default().steps[1].clone() },
            Step {
                weight_ppm: ALL_PPM,
                mismatch_ppm: 30,
                min_dwell_ms: 90 * MINUTE_MS,
                max_dwell_ms: 2 * DAY_MS,
                approval: true,
                error_margin: 0.001,
                latency_margin: 0.1,
                confidence: 0.99,
                windows: vec![Window { days: [true; 7], from_minute: 540, until_minute: 960 }],
            },
        ];
        assert_eq!(plan.unwrap().steps, expected);
    }

    #[test]
    fn windows_and_freezes() {
        let read = plan(
            "[shift]\nwindows = [\"Mon-Fri 09:00-16:00\", \"sat-mon,Wed 22:00-24:00\", \"daily 23:30-01:00\"]\n\
             freezes = [\"2026-12-20/2027-01-02\", \"2026-11-23/2026-11-23\"]\n",
        );
        let read = read.unwrap();
        let days: Vec<String> =
            read.windows.iter().map(|w| w.days.map(|day| if day { 'x' } else { '-' }).iter().collect()).collect();
        assert_eq!(days, ["xxxxx--", "x-x--xx", "xxxxxxx"]);
        let times: Vec<_> = read.windows.iter().map(|w| (w.from_minute, w.until_minute)).collect();
        assert_eq!(times, [(540, 960), (1_320, 1_440), (1_410, 60)]);
        assert_eq!(read.freezes[0].until_ms - read.freezes[0].from_ms, 14 * DAY_MS);
        assert_eq!(read.freezes[1], Freeze { from_ms: 1_795_392_000_000, until_ms: 1_795_478_400_000 });
        for bad in
            ["Mon", "Mon 9-16", "Mon 09:00", "Mon 09:00-25:00", "Mon 09:60-10:00", "Moon 09:00-10:00", " 09:00-10:00"]
        {
            assert!(window(bad).is_err(), "{bad}");
        }
        for bad in ["2026-12-20", "2027-01-02/2026-12-20", "2026-02-30/2026-03-01"] {
            assert!(freeze(bad).is_err(), "{bad}");
        }
    }
}
