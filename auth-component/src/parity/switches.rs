//! Which behaviours of the Express service are copied.

use std::fmt;

/// A set of [`Switch`]es. The default is strict mode: none.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Parity(u32);

/// One behaviour of the Express service. legacy-stub/README.md says of each what it is, PARITY.md what it costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    JsonBodyFirst,
    IgnorePathCase,
    LooseSlash,
    OptionsListsMethods,
    NotFoundForWrongMethod,
    HtmlErrors,
    PlainRefusals,
    PlainIdentity,
    JwtExpOptional,
    JsNumbers,
    BareHead,
    NoChallenge,
    NoCacheControl,
    NoSunset,
    JsonCharset,
    Etag,
    PoweredBy,
}

/// A name that is no switch's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownSwitch(String);

impl Switch {
    /// In the order in which they take part in an answer.
    pub const ALL: [Switch; 17] = [
        Switch::JsonBodyFirst,
        Switch::IgnorePathCase,
        Switch::LooseSlash,
        Switch::OptionsListsMethods,
        Switch::NotFoundForWrongMethod,
        Switch::HtmlErrors,
        Switch::PlainRefusals,
        Switch::PlainIdentity,
        Switch::JwtExpOptional,
        Switch::JsNumbers,
        Switch::BareHead,
        Switch::NoChallenge,
        Switch::NoCacheControl,
        Switch::NoSunset,
        Switch::JsonCharset,
        Switch::Etag,
        Switch::PoweredBy,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Switch::JsonBodyFirst => "json-body-first",
            Switch::IgnorePathCase => "ignore-path-case",
            Switch::LooseSlash => "loose-slash",
            Switch::OptionsListsMethods => "options-lists-methods",
            Switch::NotFoundForWrongMethod => "not-found-for-wrong-method",
            Switch::HtmlErrors => "html-errors",
            Switch::PlainRefusals => "plain-refusals",
            Switch::PlainIdentity => "plain-identity",
            Switch::JwtExpOptional => "jwt-exp-optional",
            Switch::JsNumbers => "js-numbers",
            Switch::BareHead => "bare-head",
            Switch::NoChallenge => "no-challenge",
            Switch::NoCacheControl => "no-cache-control",
            Switch::NoSunset => "no-sunset",
            Switch::JsonCharset => "json-charset",
            Switch::Etag => "etag",
            Switch::PoweredBy => "powered-by",
        }
    }

    const fn bit(self) -> u32 {
        1 << self as u32
    }
}

impl Parity {
    pub const STRICT: Parity = Parity(0);
    pub const ALL: Parity = Parity((1 << Switch::ALL.len()) - 1);

    pub fn from_names<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Parity, UnknownSwitch> {
        names.into_iter().try_fold(Parity::STRICT, |parity, name| {
            let known = Switch::ALL.into_iter().find(|switch| switch.name() == name);
            known.map(|switch| parity.with(switch)).ok_or_else(|| UnknownSwitch(name.to_owned()))
        })
    }

    /// Of the switches that are on, in the order of [`Switch::ALL`].
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Switch::ALL.into_iter().filter(move |&switch| self.has(switch)).map(Switch::name)
    }

    /// Never, where the feature `parity` is not built in: nothing depends on a switch there.
    pub const fn has(self, switch: Switch) -> bool {
        cfg!(feature = "parity") && self.0 & switch.bit() != 0
    }

    pub const fn with(self, switch: Switch) -> Parity {
        Parity(self.0 | switch.bit())
    }

    pub const fn without(self, switch: Switch) -> Parity {
        Parity(self.0 & !switch.bit())
    }
}

impl fmt::Debug for Parity {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.debug_set().entries(self.names()).finish()
    }
}

impl fmt::Display for UnknownSwitch {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        let known = Switch::ALL.map(Switch::name).join(", ");
        write!(formatter, "\"{}\" is no switch of parity mode; use names of this list: {known}", self.0)
    }
}

impl std::error::Error for UnknownSwitch {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(feature = "parity")]
    fn names_lead_there_and_back() {
        let all = Parity::from_names(Switch::ALL.map(Switch::name)).expect("every name is known");
        assert_eq!(all, Parity::ALL);
        assert_eq!(Parity::from_names([]), Ok(Parity::STRICT));
        let two = Parity::from_names(["etag", "json-body-first", "etag"]).expect("both are known");
        assert_eq!(two.names().collect::<Vec<_>>(), ["json-body-first", "etag"]);
        assert_eq!(format!("{two:?}"), "{\"json-body-first\", \"etag\"}");
        assert_eq!(two.without(Switch::Etag).without(Switch::JsonBodyFirst), Parity::STRICT);
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_known_ones() {
        let error = Parity::from_names(["etag", "etags"]).expect_err("there is no such switch").to_string();
        assert!(error.starts_with("\"etags\" is no switch of parity mode; use names of this list: json-body-first, "));
        assert!(Switch::ALL.into_iter().all(|switch| error.contains(switch.name())), "{error}");
    }
}
