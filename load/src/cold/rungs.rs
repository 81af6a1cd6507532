//! The ladder: what is started on each rung, and which rungs may be held against each other. Pure.

use crate::result::{Side, cold};
use crate::side::{Contender, Spec};

#[derive(Debug)]
pub(super) struct Rung {
    pub(super) name: String,
    /// As in the method: C of the component, N of Node.
    pub(super) step: Option<&'static str>,
    pub(super) sentence: String,
    pub(super) how: How,
}

#[derive(Debug)]
pub(super) enum How {
    /// An empty program, to its end: what any process costs.
    Empty,
    /// Asked of the host, together with the other.
    Instance {
        answered: bool,
    },
    /// A service, to its first correct answer.
    Service(Box<Contender>),
    LeftOut(&'static str),
}

/// From the quickest to the slowest.
pub(super) fn ladder(contenders: &[Contender], images: [Option<&str>; 2]) -> Vec<Rung> {
    let [legacy, candidate, beside @ ..] = contenders else { return Vec::new() };
    let mut rungs = vec![rung("empty-process", None, "an empty program, from its start to its end", How::Empty)];
    if let Spec::Serve(_) = candidate.spec {
        let instance = "an instance in a warm host, from nothing to";
        let (made, answered) = (How::Instance { answered: false }, How::Instance { answered: true });
        rungs.push(rung("instance", Some("C1"), &format!("{instance} an instance that can be called"), made));
        rungs.push(rung("instance-answer", Some("C2"), &format!("{instance} its first correct answer"), answered));
        let compiles = Contender { name: "compiled".to_owned(), keeps_compiled: false, ..candidate.clone() };
        rungs.push(process(
            "precompiled",
            Some("C3"),
            candidate,
            "the host process with the component compiled before",
        ));
        rungs.push(process("compiled", Some("C4"), &compiles, "the host process, which compiles the component"));
    } else {
        rungs.push(process("candidate", None, candidate, "the candidate's process"));
    }
    rungs.push(process("legacy", Some("N3"), legacy, "the legacy service's process"));
    rungs.extend(beside.iter().map(|contender| process(&contender.name, None, contender, "the process beside them")));
    let [of_candidate, of_legacy] = images;
    rungs.push(container("candidate-container", "C5", candidate, of_candidate));
    rungs.push(container("legacy-container", "N5", legacy, of_legacy));
    rungs
}

/// The slower one expected first; whether both begin and end at the same things.
pub(super) const PAIRS: [(&str, &str, bool); 5] = [
    ("legacy", "precompiled", true),
    ("legacy", "compiled", true),
    ("legacy", "candidate", true),
    ("legacy-container", "candidate-container", true),
    ("legacy-container", "instance-answer", false),
];

fn rung(name: &str, step: Option<&'static str>, sentence: &str, how: How) -> Rung {
    Rung { name: name.to_owned(), step, sentence: sentence.to_owned(), how }
}

fn process(name: &str, step: Option<&'static str>, contender: &Contender, what: &str) -> Rung {
    let sentence = format!("{what}, from before the fork to its first correct answer");
    let contender = Contender { name: name.to_owned(), ..contender.clone() };
    Rung { name: name.to_owned(), step, sentence, how: How::Service(Box::new(contender)) }
}

fn container(name: &str, step: &'static str, contender: &Contender, image: Option<&str>) -> Rung {
    let how = match image {
        Some(image) => {
            let spec = Spec::Image(image.to_owned());
            How::Service(Box::new(Contender { name: name.to_owned(), spec, ..contender.clone() }))
        }
        None => How::LeftOut("no image was named, or podman with runc is not there"),
    };
    rung(name, Some(step), "a container, from `podman run` to its first correct answer", how)
}

impl Rung {
    pub(super) fn side(&self) -> Option<Side> {
        match &self.how {
            How::Service(contender) => Some(contender.described()),
            _ => None,
        }
    }

    pub(super) fn found(&self) -> cold::Rung {
        cold::Rung {
            name: self.name.clone(),
            step: self.step.map(str::to_owned),
            sentence: self.sentence.clone(),
            side: self.side(),
            starts_ms: Vec::new(),
            failed: 0,
            median_ms: None,
            p95_ms: None,
            first_answers_us: Vec::new(),
            left_out: match self.how {
                How::LeftOut(why) => Some(why.to_owned()),
                _ => None,
            },
        }
    }
}
