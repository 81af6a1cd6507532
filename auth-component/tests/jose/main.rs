//! The strict JWT profile from outside: made tokens, the RFCs' own examples, arbitrary bytes, third-party sets.

mod attacks;
mod claims;
mod issuer;
mod keys;
mod random;
mod rfc;
mod third_party;
mod timing;
