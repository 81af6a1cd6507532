//! The keys that check the contract's tokens: those of legacy-stub/contract/keys/verification.json that are used.

use crate::grant::{Expiry, Grant, StoreUnavailable, Tokens};
use crate::jose::{self, Algorithm, Jwks, Policy};

pub struct DevelopmentTokens;

const ISSUER: &str = "https://issuer.example";
const AUDIENCE: &str = "https://api.example";
/// How far the issuer's clock may be ahead when it writes `iat`.
const ISSUED_AHEAD_S: u64 = 60;

impl Tokens for DevelopmentTokens {
    fn check(&self, token: &[u8], now: u64, expiry: Expiry) -> Result<Option<Grant>, StoreUnavailable> {
        let policy = Policy {
            type_required: false,
            expiry_required: expiry == Expiry::Required,
            issued_ahead_s: ISSUED_AHEAD_S,
            lifetime_s_max: u64::MAX,
            ..Policy::strict(ISSUER, AUDIENCE, &Algorithm::ALL)
        };
        Ok(jose::verify_by(token, keys_for, &policy, now).ok().map(Grant::of_token))
    }

    fn public_keys(&self) -> Result<String, StoreUnavailable> {
        Ok(set(|key| !key.is_secret()))
    }

    fn are_ready(&self) -> bool {
        true
    }
}

/// Every key is pinned to one algorithm, so no other can be the token's: the rest is not even read.
fn keys_for(algorithm: Algorithm) -> Jwks {
    let text = set(|key| key.algorithm == algorithm);
    Jwks::parse(text.as_bytes(), jose::Origin::Operator).expect("the built-in sets are good, as a test shows")
}

fn set(is_wanted: impl Fn(&DevelopmentKey) -> bool) -> String {
    let keys: Vec<&str> = KEYS.iter().filter(|key| is_wanted(key)).map(|key| key.jwk).collect();
    format!("{{\"keys\":[{}]}}", keys.join(","))
}

struct DevelopmentKey {
    algorithm: Algorithm,
    jwk: &'static str,
}

impl DevelopmentKey {
    fn is_secret(&self) -> bool {
        self.jwk.starts_with("{\"kty\":\"oct\"")
    }
}

/// PUBLIC DEVELOPMENT KEYS, the secrets too: anybody can sign what they check.
const KEYS: [DevelopmentKey; 13] = [
    DevelopmentKey {
        algorithm: Algorithm::Hs256,
        jwk: r#"{"kty":"oct","kid":"hs256","use":"sig","alg":"HS256","k":"S2oLoq5x6dIO5YGdhvenQriSqWQmnn6ImV4k6rSaHLM"}"#,
    },
    DevelopmentKey {
        algorithm: Algorithm::Hs384,
        jwk: r#"{"kty":"oct","kid":"hs384","use":"sig","alg":"HS384","k":"yeh51WUVUeRbwtJCKISvFWDkKskAjC2UK2dsAUc6ZLwnn5HWgZJ8oYiv9BTLSgTs"}"#,
    },
    DevelopmentKey {
        algorithm: Algorithm::Hs512,
        jwk: r#"{"kty":"oct","kid":"hs512","use":"sig","alg":"HS512","k":"9eZ5dXZEicyQ00Zct1nRHD1lcMCZrk8Wh9DlAy9o17g1CCaX3h0bSq6DSVAr8yXyr5YZ8XUP01W_ivOXFHOlxQ"}"#,
    },
    DevelopmentKey {
        algorithm: Algorithm::Rs256,
        jwk: r#"{"kty":"RSA","kid":"rs256","use":"sig","alg":"RS256","n":"hX5k1Z6z1bRg02kOIxnR5rDo6Y7oD3P3lW1ehsbMalHzCDI40hlqBbuFI27631UzqaeMxJ34rdm9fDBnbtbn1-XSR6xxUG7d-xeZ3yoEr8D4hv52aB0q4S_NgWvG3vGh3hqtx-5LunM6-nXq92XyhEbMIjkbIg6kEJb8UOqS3WUBiQNKcA1xJSvVv4ZBaMzs9oZLjXcjdbfM5egoLPxrJh1UiiLVXDPDLTHW2L9cHAMdqonn2-fKtAVU5UzGiLbZ9ditt0w5glhgnawB1Q9X4n16MZriwSyDIwkL5b6Ty6bdxTgxGwkRtz8s4n6EzdwAMaX4gx_VKRATjAnWta0Pyw","e":"AQAB"}"#,
    },
    DevelopmentKey {
        algorithm: Algorithm::Rs384,
        jwk: r#"{"kty":"RSA","kid":"rs384","use":"sig","alg":"RS384","n":"r5zoMoiSMqEMvMLGyqaPb-3-7Py12tYxFwCFFVlbg89wAa3LbJYajVaEf3wUnkvsN7CEZevj-t6kEG-6FK3Xut1VhfLv_t4XI0MeaOsqp91D0PgGilt5Ni82bWA21kDQdhVnTSQl8aRFb7Hg1-Zr1zXGnr38WMM8gA5BtRG0maZmW1ufzRVaoJ_r9D6ZmFQG2gMGXz7XATpcf78m_ZvGC_nmSiTz08F9PMANSn4uK-9-Y2uLzpSQNeAsBesBI8QwWlQS4rMuOBSuIRTvzLYDg_MyMBzDyFQcB7Pk7MmNK8FQZXzVvwe9FzmLrOpqJ76KQ10ooVbqZgZtfr6nosEbQw","e":"AQAB"}"#,
    },
    DevelopmentKey {
        algorithm: Algorithm::Rs512,
        jwk: r#"{"kty":"RSA","kid":"rs512","use":"sig","alg":"RS512","n":"4iZVJ4k_a8eWv5hhAnWMOEFYJSvaX95MIYshnb2xey5uVr_16thAd8dJmoi3cofnPBl6BkCHhXSQEutlxwORy5X3BRp18MWZsW6LtO9Ul5thSbPPsxHPSZqOU-LWRO1CguMy3LyGzX9GbtShXyfAUQ43o2DYixbkDU2zh3oKzzUBA_Y4PzERVrwFANCsAJhj7SSKcxAe0S2CslNNiJgLIHv5LYWf2i_w5uRbSOmK0idf4U8dstSN2d0xvHBK13usx8eMKraNqisFiyrCtVUsYR-WciMCEo5CKu0O38HVvkRyBhUEbS29n48iSn2-P3oq49WJbk_snn3S9GxqtKpOvQ","e":"AQAB"}"#,
    },
    DevelopmentKey {
        algorithm: Algorithm::Ps256,
        jwk: r#"{"kty":"RSA","kid":"ps256","use":"sig","alg":"PS256","n":"j2iG1yO_KjZMDaaCTxfq2SqSKfCiOdbeVvHMxTo2BIea8eUeuARAxOm6leFaQcssuonM0VOT5lGKVaE6o0jZKlClJbucc0NF8_UxxtVRt9bohYboU5AEEGbM22SiPilOB5oA-UiKKoDzrjVGBIoDuBxI-gRyxNMBbIw5xAYlh1FD4ESAbDrEYB14067KlPuOEw8cbknSWB3KwMllU0F4VZ379T2Mw3DGvJzk_VBqAzEUDTp8jZ9i13SJHAiAwbxeMsT-xqSsOB84P3pvz8swLBBiT0wi1sDDgU5BI-2q0aITSQYhf4r9uG3LbR-GtetK8WzHSntTmQ_JLRi850Qyvw","e":"AQAB"}"#,
    },
    DevelopmentKey {
        algorithm: Algorithm::Ps384,
        jwk: r#"{"kty":"RSA","kid":"ps384","use":"sig","alg":"PS384","n":"1aKM-DPNV_grC_Mr3hQ3Cs4xlbhB1cyFj355YzL3HRrD6QcQ8TY2A3EmKVpDf3YLyyC1RO-EFDi6MDzGqDFmoRKqUlhgbLweuhlA5thVOWgs68BkZm6o4gRMMckjiBrzFGD_QrZ_Q7hPpdYNItEDdJnrj6KzbpTlyaI8scp9whhxjL_g-hCmoMWkbPjVowY1w9hxj3iPOzlXSSoJzuvh83zKgGSlU_OGZ8yj2iWlpEdQwq04jwJlJ31yeieXRnqkCrXZoggmGks0BoP7BCD_Xk9eYZSrfxZEYd1OVanUHIXVG9nHcx6yXtZeZnlk7NcePPHOduXp9cAI7DCBb61nZw","e":"AQAB"}"#,
    },
    DevelopmentKey {
        algorithm: Algorithm::Ps512,
        jwk: r#"{"kty":"RSA","kid":"ps512","use":"sig","alg":"PS512","n":"0iCrz7yWW6iC3XI15VyAGiNx1kI4zJBvXUv3jSq6KxEGTQ-PqxJ2GYkh--Q_IaAX6C_YD7uxEyyLeSiTgBcXv9sxHmZMEiIrAo5soTdI-sG8jlkQdm2brLfEFJAxrk_KILrX5CqKKVCe0sLmQL1fUCb1uT9rVMEmfx8ZGcbIBFTTOzUY4d_LlKcSEbkGzpQidYGqXVVO4omStzfHMV_wXHOS_dLx-xGkbiBODerrc5bR2kWUVlmN-LBC5oy2WEIpjRkTiXOGijhvdNi6Q-Jf7E3pcxEuaywN2PaDBwjarqUtCRNZZuNynOCwC7JmXHOCJ5Bj40VqlShUVJTefa7BeQ","e":"AQAB"}"#,
    },
    DevelopmentKey {
        algorithm: Algorithm::Es256,
        jwk: r#"{"kty":"EC","kid":"es256","use":"sig","alg":"ES256","crv":"P-256","x":"XWU1O-uoYFQ7XevYDHD2bsyBAGPUizVxRGrNpi07RBg","y":"8FhiUCCjBK3hUcdtxyQdGEZ9fIEwnwHbB3aP72cDJ5k"}"#,
    },
    DevelopmentKey {
        algorithm: Algorithm::Es256,
        jwk: r#"{"kty":"EC","kid":"es256-next","use":"sig","alg":"ES256","crv":"P-256","x":"OcVuMb12LaGBcqWRO8VuUZv_sSAiWV5t5sLnreK_ydM","y":"gWDZOWx_DjFUCqyvPWjao-asBzkLPT0hXiKJF41A0uE"}"#,
    },
    DevelopmentKey {
        algorithm: Algorithm::Es384,
        jwk: r#"{"kty":"EC","kid":"es384","use":"sig","alg":"ES384","crv":"P-384","x":"IN-YbQMVnoCXt7O64LhK06hCegeKmWwenzO6_10Iy5usZPcHeHKmb8PDyOAGcoe7","y":"vSSskdBOLywxFzKfkMkApDcVin1Jc8Zn1wNbRJvYVhlDjhpw4OEBxsfpBF7oOqUy"}"#,
    },
    DevelopmentKey {
        algorithm: Algorithm::Ed25519,
        jwk: r#"{"kty":"OKP","kid":"eddsa","use":"sig","alg":"EdDSA","crv":"Ed25519","x":"2ZAlIOI_tKPf4dY1feYBHPIar8g4Dd7r7KA_1UKxD-s"}"#,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_used_and_only_public_ones_are_published() {
        let used: usize = Algorithm::ALL.into_iter().map(|algorithm| keys_for(algorithm).len()).sum();
        assert_eq!(used, KEYS.len());
        let text = DevelopmentTokens.public_keys().expect("they are built in");
        let published = Jwks::parse(text.as_bytes(), jose::Origin::Fetched).expect("a good set");
        assert_eq!((published.len(), published.ignored()), (KEYS.len() - 3, [].as_slice()));
        assert_eq!(published.public_json(), text);
    }
}
