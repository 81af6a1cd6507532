//! Who is measured, with what, on which CPUs: the options of the commands that start sides, as checked values.

use std::path::Path;

use rustix::thread::{CpuSet, sched_setaffinity};

use crate::cli::{Cpus, Expecting, Sides};
use crate::contract::{self, Case};
use crate::environment::cpus_allowed;

use super::{Contender, Spec};

/// Good, bad, expired and missing keys, with the weights of the contract; both sides answer them with the same status.
const JOURNEY: [&str; 4] = ["valid-key-123", "unknown-key", "expired-key", "missing-header"];

#[derive(Debug)]
pub(crate) struct Lineup {
    /// Legacy, the candidate, then those beside them.
    pub(crate) contenders: Vec<Contender>,
    /// Where this process may run; nothing: anywhere.
    pub(crate) generator_cpus: Option<Vec<usize>>,
}

impl Lineup {
    pub(crate) fn from_args(sides: &Sides) -> Result<Self, Vec<String>> {
        let names: Vec<String> = match sides.cases.as_slice() {
            [] => JOURNEY.map(str::to_owned).to_vec(),
            named => named.to_vec(),
        };
        let allowed = cpus_allowed();
        let divided = divide(&allowed, sides.side_cpus.as_ref()).map_err(|error| vec![error])?;
        let (side_cpus, generator_cpus) = divided.unzip();
        let mut roles = vec![("legacy".to_owned(), &sides.legacy), ("candidate".to_owned(), &sides.candidate)];
        for spec in &sides.beside {
            let name = unused(spec.kind(), &roles);
            roles.push((name, spec));
        }
        let mut errors = Vec::new();
        let mut contenders = Vec::new();
        for (name, spec) in roles {
            let expecting = expecting(spec, name == "legacy");
            match cases(&sides.contract, &names, expecting) {
                Ok(cases) => {
                    let cpus = side_cpus.clone().filter(|_| !matches!(spec, Spec::Url(_)));
                    contenders.push(Contender { name, spec: spec.clone(), cases, cpus, keeps_compiled: true });
                }
                Err(wrong) => errors.extend(wrong),
            }
        }
        errors.dedup();
        errors.extend(unequal(&contenders));
        if errors.is_empty() { Ok(Self { contenders, generator_cpus }) } else { Err(errors) }
    }

    /// This process from now on, with all threads that it starts.
    pub(crate) fn pin_generator(&self) -> anyhow::Result<()> {
        let Some(cpus) = &self.generator_cpus else { return Ok(()) };
        let mut set = CpuSet::new();
        cpus.iter().for_each(|&cpu| set.set(cpu));
        Ok(sched_setaffinity(None, &set)?)
    }
}

/// Letting in is other work than refusing: a side that does less of it would seem faster.
fn unequal(contenders: &[Contender]) -> Vec<String> {
    let status =
        |contender: &Contender, at: usize| contender.cases.get(at).and_then(|case| case.accepted.first()?.status);
    let Some(legacy) = contenders.first() else { return Vec::new() };
    let differs = |at: usize, case: &Case| {
        let other = contenders.iter().find(|contender| status(contender, at) != status(legacy, at))?;
        let name = &case.name;
        Some(format!("--case {name}: {} should not answer it with the status of legacy; leave it out", other.name))
    };
    legacy.cases.iter().enumerate().filter_map(|(at, case)| differs(at, case)).collect()
}

fn cases(folder: &Path, names: &[String], expecting: Expecting) -> Result<Vec<Case>, Vec<String>> {
    contract::read(folder, names, expecting)
}

/// Whose answers a side should give.
fn expecting(spec: &Spec, is_legacy: bool) -> Expecting {
    match spec {
        Spec::Serve(_) | Spec::Native => Expecting::Candidate,
        Spec::Node => Expecting::Legacy,
        Spec::Fastapi => Expecting::Fastapi,
        Spec::Url(_) | Spec::Process(_) | Spec::Image(_) if is_legacy => Expecting::Legacy,
        Spec::Url(_) | Spec::Process(_) | Spec::Image(_) => Expecting::Candidate,
    }
}

fn unused(kind: &str, roles: &[(String, &Spec)]) -> String {
    let taken = |name: &str| roles.iter().any(|(known, _)| known == name);
    let numbered = (2..).map(|number| format!("{kind}-{number}"));
    std::iter::once(kind.to_owned()).chain(numbered).find(|name| !taken(name)).expect("numbers do not end")
}

type Cores = Vec<usize>;

/// The CPUs of the sides and of the generator, or nothing where all may run anywhere: one each, because what runs on one core is compared with the same. Pure.
fn divide(allowed: &[usize], asked: Option<&Cpus>) -> Result<Option<(Cores, Cores)>, String> {
    let sides = match (asked, allowed) {
        (Some(Cpus::All), _) | (None, [] | [_]) => return Ok(None),
        (None, [.., last]) => vec![*last],
        (Some(Cpus::These(cpus)), _) => cpus.clone(),
    };
    if let Some(cpu) = sides.iter().find(|cpu| !allowed.contains(cpu)) {
        return Err(format!("--side-cpus: CPU {cpu} may not be used here; those that may are {allowed:?}"));
    }
    match allowed.iter().find(|cpu| !sides.contains(cpu)) {
        Some(&generator) => Ok(Some((sides, vec![generator]))),
        None => Err("--side-cpus leaves no CPU to the generator; leave it one, or write `all`".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_and_the_sides_never_share_a_cpu_unless_asked_to() {
        let these = |cpus: &[usize]| Some(Cpus::These(cpus.to_vec()));
        for (allowed, asked, expected) in [
            (&[0, 1][..], None, Ok(Some((vec![1], vec![0])))),
            (&[2, 5, 7], None, Ok(Some((vec![7], vec![2])))),
            (&[0], None, Ok(None)),
            (&[0, 1], Some(Cpus::All), Ok(None)),
            (&[0, 1, 2], these(&[0, 1]), Ok(Some((vec![0, 1], vec![2])))),
            (&[0, 1], these(&[0, 1]), Err("no CPU to the generator")),
            (&[0, 1], these(&[3]), Err("CPU 3 may not be used")),
        ] {
            match (divide(allowed, asked.as_ref()), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{allowed:?} {asked:?}"),
                (Err(error), Err(says)) => assert!(error.contains(says), "{error}"),
                (found, expected) => panic!("{allowed:?} {asked:?}: {found:?}, not {expected:?}"),
            }
        }
    }

    #[test]
    fn cases_that_are_other_work_for_a_side_are_refused() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../legacy-stub/contract");
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let contender = |name: &str, names: &[String], expecting| Contender {
            name: name.to_owned(),
            spec: Spec::Node,
            cases: cases(&folder, names, expecting).expect("the cases"),
            cpus: None,
            keeps_compiled: true,
        };
        let sides = |names: &[String]| {
            [contender("legacy", names, Expecting::Legacy), contender("candidate", names, Expecting::Candidate)]
        };
        assert_eq!(unequal(&sides(&names(&JOURNEY))), Vec::<String>::new());
        let all = contract::read(&folder, &[], Expecting::Legacy).expect("the contract");
        let legacy: Vec<String> = all.iter().map(|case| case.name.clone()).collect();
        assert!(!unequal(&sides(&legacy)).is_empty(), "the contract has differences of status");
    }

    #[test]
    fn names_stay_apart() {
        let spec = Spec::Serve(Vec::new());
        let mut roles = vec![("legacy".to_owned(), &spec)];
        for expected in ["serve", "serve-2", "serve-3"] {
            let name = unused("serve", &roles);
            assert_eq!(name, expected);
            roles.push((name, &spec));
        }
    }
}
