//! Why a token is refused: one fixed reason for the audit log, and what the client may learn of it.

macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident = $reason:literal,)*) => {
        /// The reason for the audit log. Those before [`Refusal::SignatureWrong`] describe a text that anybody may have
        /// written: what they name is not yet known to come from the issuer.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Refusal { $($(#[$doc])* $name,)* }

        impl Refusal {
            /// In the order in which they are looked for, as far as there is one.
            pub const ALL: &[Refusal] = &[$(Refusal::$name,)*];

            /// Stable, for logs and metrics; carries nothing of the token.
            pub fn reason(self) -> &'static str {
                match self { $(Refusal::$name => $reason,)* }
            }
        }
    };
}

refusals! {
    /// More than 8 KiB, before anything of it is looked at.
    TokenTooLong = "token_too_long",
    /// Not exactly three parts: also JWE, the JSON serialisations, stray dots.
    NotThreeParts = "not_three_parts",
    /// A part is not base64url, has padding or white space, or bits that decode to nothing.
    Encoding = "encoding",
    /// The header has more than 2 KiB.
    HeaderTooLong = "header_too_long",
    /// Not JSON in UTF-8; a number that is not finite; a lone surrogate; a byte order mark.
    NotJson = "not_json",
    /// JSON, but not an object.
    NotAnObject = "not_an_object",
    /// A member occurs twice, at any level, however it is escaped.
    DuplicateMember = "duplicate_member",
    /// More than 32 levels.
    TooDeep = "too_deep",
    /// More members and elements than a payload (256) or a header (64) may have, at all levels together.
    TooManyValues = "too_many_values",
    /// `crit` is there: no extension is understood, so none may be critical (RFC 7515 §4.1.11).
    CriticalExtension = "critical_extension",
    /// `b64` is there (RFC 7797).
    UnencodedPayload = "unencoded_payload",
    /// `zip` is there.
    Compressed = "compressed",
    /// `enc` is there: a JWE header.
    Encrypted = "encrypted",
    AlgorithmMissing = "algorithm_missing",
    /// Also `none` in any case.
    AlgorithmUnknown = "algorithm_unknown",
    /// Known, but the policy has no use for it.
    AlgorithmNotAllowed = "algorithm_not_allowed",
    TypeMissing = "type_missing",
    TypeNotAllowed = "type_not_allowed",
    /// `kid` is not a string of 1 to 256 bytes.
    KeyIdShape = "key_id_shape",
    KeyIdMissing = "key_id_missing",
    KeyUnknown = "key_unknown",
    /// No `kid`, and several keys fit.
    KeyAmbiguous = "key_ambiguous",
    /// The key is for another algorithm, or for none that the policy pins it to.
    KeyForOtherAlgorithm = "key_for_other_algorithm",
    /// A registered claim has a type or size it cannot have.
    ClaimShape = "claim_shape",
    /// `exp`, `nbf` or `iat` is not a number of seconds from 1970 to the end of the year 9999.
    DateShape = "date_shape",
    ExpiryMissing = "expiry_missing",
    Expired = "expired",
    LifetimeTooLong = "lifetime_too_long",
    NotYetValid = "not_yet_valid",
    IssuedInTheFuture = "issued_in_the_future",
    IssuerOther = "issuer_other",
    SubjectMissing = "subject_missing",
    ClaimMissing = "claim_missing",
    SignatureWrong = "signature_wrong",
    /// Signed by the issuer, but for somebody else.
    AudienceOther = "audience_other",
    ScopeMissing = "scope_missing",
}

/// What the client learns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// 401 `invalid_token`, the same for every cause: whoever tries tokens learns nothing from the difference.
    InvalidToken,
    /// 403 `insufficient_scope`: a good token, signature included, that is not good for this.
    InsufficientScope,
}

impl Refusal {
    pub fn answer(self) -> Answer {
        match self {
            Refusal::AudienceOther | Refusal::ScopeMissing => Answer::InsufficientScope,
            _ => Answer::InvalidToken,
        }
    }

    /// Whether the issuer's signature was found good before this reason was.
    pub fn is_of_signed_token(self) -> bool {
        self > Refusal::SignatureWrong
    }
}
