//! The signatures that are known (RFC 7518 §3.1, RFC 8037 §3.1, RFC 9864 §2.2). There is no entry for `none`.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    Hs256,
    Hs384,
    Hs512,
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    /// `EdDSA` and, the same under its newer name, `Ed25519`. Ed448 is not known.
    Ed25519,
}

/// What a key must be to serve an algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    Secret { bytes_min: usize },
    Rsa,
    P256,
    P384,
    Ed25519,
}

impl Algorithm {
    pub const ALL: [Algorithm; 12] = [
        Algorithm::Hs256,
        Algorithm::Hs384,
        Algorithm::Hs512,
        Algorithm::Rs256,
        Algorithm::Rs384,
        Algorithm::Rs512,
        Algorithm::Ps256,
        Algorithm::Ps384,
        Algorithm::Ps512,
        Algorithm::Es256,
        Algorithm::Es384,
        Algorithm::Ed25519,
    ];

    /// Exact and case-sensitive (RFC 7515 §4.1.1).
    pub fn named(name: &str) -> Option<Algorithm> {
        if name == "EdDSA" {
            return Some(Algorithm::Ed25519);
        }
        Algorithm::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }

    pub fn name(self) -> &'static str {
        match self {
            Algorithm::Hs256 => "HS256",
            Algorithm::Hs384 => "HS384",
            Algorithm::Hs512 => "HS512",
            Algorithm::Rs256 => "RS256",
            Algorithm::Rs384 => "RS384",
            Algorithm::Rs512 => "RS512",
            Algorithm::Ps256 => "PS256",
            Algorithm::Ps384 => "PS384",
            Algorithm::Ps512 => "PS512",
            Algorithm::Es256 => "ES256",
            Algorithm::Es384 => "ES384",
            Algorithm::Ed25519 => "Ed25519",
        }
    }

    pub(crate) fn family(self) -> Family {
        match self {
            // A secret shorter than the hash is the weakest part (RFC 7518 §3.2).
            Algorithm::Hs256 => Family::Secret { bytes_min: 32 },
            Algorithm::Hs384 => Family::Secret { bytes_min: 48 },
            Algorithm::Hs512 => Family::Secret { bytes_min: 64 },
            Algorithm::Rs256 | Algorithm::Rs384 | Algorithm::Rs512 => Family::Rsa,
            Algorithm::Ps256 | Algorithm::Ps384 | Algorithm::Ps512 => Family::Rsa,
            Algorithm::Es256 => Family::P256,
            Algorithm::Es384 => Family::P384,
            Algorithm::Ed25519 => Family::Ed25519,
        }
    }
}
