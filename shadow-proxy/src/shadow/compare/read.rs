//! One side's answer, made readable once.

use std::cell::OnceCell;

use bytes::Bytes;

use super::NotComparable;
use super::media_type::{Declared, declared};
use crate::exchange::{Answer, Leg, Side};
use crate::shadow::decode::decoded;
use crate::shadow::json::{Document, NotJson};

pub(super) struct Read<'a> {
    pub answer: &'a Answer,
    pub body: Bytes,
    json: OnceCell<Option<Result<Document, NotJson>>>,
}

impl<'a> Read<'a> {
    /// `place` is where the leg stands in the comparison.
    pub(super) fn new(leg: &'a Leg, place: Side) -> Result<Read<'a>, NotComparable> {
        let answer = leg.outcome.as_ref().map_err(|failure| NotComparable::failed(place, *failure))?;
        let body = decoded(&answer.headers, &answer.body, DECODED_BYTES_MAX)?;
        Ok(Read { answer, body, json: OnceCell::new() })
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
