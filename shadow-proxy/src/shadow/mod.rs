//! What nobody waits for: the copy of a call, the comparison of two answers, what is kept of it.

pub(crate) mod acceptance;
pub(crate) mod again;
pub(crate) mod capture;
pub(crate) mod class;
pub(crate) mod compare;
pub(crate) mod decode;
pub(crate) mod endpoint;
pub(crate) mod json;
pub(crate) mod judge;
pub(crate) mod mirror;
pub(crate) mod noise;
pub(crate) mod path;
pub(crate) mod record;
pub(crate) mod redact;
pub(crate) mod route_class;
pub(crate) mod rules;
pub(crate) mod session;
pub(crate) mod shape;

#[cfg(test)]
mod cost;
#[cfg(test)]
mod judging;
