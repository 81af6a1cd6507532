//! One side's answer, made readable once.

use std::cell::OnceCell;

use bytes::Bytes;

use super::NotComparable;
use super::media_type::{Declared, declared};
use crate::exchange::{Answer, Failure, Leg, Side};
use crate::shadow::decode::{Flaw, readable};
use crate::shadow::json::{Document, NotJson};

pub(super) struct Read<'a> {
    /// As far as it came.
    pub answer: &'a Answer,
    /// As it came where it cannot be decoded: a status decides whatever the body is.
    pub body: Bytes,
    pub flaw: Option<Flaw>,
    /// Why the answer ended after its head.
    pub cut: Option<NotComparable>,
    /// False where the answer came whole and the recording has no body of it.
    pub is_recorded: bool,
    json: OnceCell<Option<Result<Document, NotJson>>>,
}

impl<'a> Read<'a> {
    /// `place` is where the leg stands in the comparison. Fails where no answer began.
    pub(super) fn new(leg: &'a Leg, place: Side) -> Result<Read<'a>, NotComparable> {
        let is_recorded = !matches!(leg.outcome, Err(Failure::NotRecorded));
        let cut = leg.outcome.as_ref().err().map(|failure| NotComparable::failed(place, *failure));
        let Some(answer) = leg.said() else { return Err(cut.expect("there is an answer or a failure")) };
        let cut = cut.filter(|_| is_recorded);
        let (body, flaw) = readable(&answer.headers, &answer.body, DECODED_BYTES_MAX);
        Ok(Read { answer, body, flaw, cut, is_recorded, json: OnceCell::new() })
    }

    /// What keeps the body from being read as its sender meant it.
    pub(super) fn trouble(&self) -> Option<&'static str> {
        self.cut.map(|cut| cut.0).or(self.flaw.map(Flaw::name))
    }

    /// Whatever the media type says: an answer that forgot its type still decides. Parsed when first asked for.
    pub(super) fn json(&self) -> Option<&Document> {
        self.parsed().and_then(|parsed| parsed.as_ref().ok())
    }

    /// Why it is none, though it looks like JSON or is said to be.
    pub(super) fn not_json(&self) -> Option<NotJson> {
        self.parsed().and_then(|parsed| parsed.as_ref().err().copied())
    }

    fn parsed(&self) -> Option<&Result<Document, NotJson>> {
        let parsed = self.json.get_or_init(|| {
            let looks_like_it = matches!(self.body.trim_ascii_start().first(), Some(b'{' | b'['));
            let is_json = looks_like_it || declared(&self.answer.headers) == Declared::Json;
            is_json.then(|| Document::read(self.body.clone()))
        });
        parsed.as_ref()
    }
}

/// What a compressed body may become. Compared bodies are held by a few workers at a time.
const DECODED_BYTES_MAX: usize = 16 << 20;
