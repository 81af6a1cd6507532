//! Answers that cannot be read to their end decide all the same.

use super::*;

#[test]
fn a_status_decides_though_its_answer_ended_behind_the_head() {
    let cut = |status, failure| Err(Failed { failure, head: Some(Box::new(plain(status))) });
    for failure in [Failure::TooLarge, Failure::Closed, Failure::Deadline, Failure::Trap, Failure::NoAnswer] {
        for (legacy, candidate, cell) in [
            (Ok(plain(401)), cut(200, failure), Some("deny_allow")),
            (cut(401, failure), Ok(plain(200)), Some("deny_allow")),
            (cut(401, failure), cut(204, failure), Some("deny_allow")),
            (Ok(plain(200)), cut(401, failure), Some("allow_deny")),
            (Ok(plain(401)), cut(401, failure), None),
            (Ok(plain(200)), cut(200, failure), None),
            (Ok(plain(401)), cut(503, failure), None),
            (cut(500, failure), Ok(plain(200)), None),
        ] {
            let found = compared_legs(&Comparer::default(), Method::GET, legacy, candidate, "GET /");
            assert_eq!(found.as_ref().ok().map(|found| found.cell().name()), cell, "{failure:?}");
            if let Ok(found) = found {
                assert_eq!(found.verdict, Verdict::Mismatch);
                assert_eq!((&*found.differences[0].path, &*found.differences[1].path), ("decision", "status"));
            }
        }
    }
}

proptest! {
    /// An answer that is left out could be the one by which a stranger is let in.
    #[test]
    fn whatever_the_bodies_are_statuses_decide(
        legacy in undecodable_answer(),
        candidate in undecodable_answer(),
        cut in [any::<bool>(), any::<bool>()],
    ) {
        let refuses = |answer: &Answer| answer.status == 401 || answer.status == 403;
        let (before, after) = (refuses(&legacy), refuses(&candidate));
        let are_equal = legacy.status == candidate.status;
        let [legacy, candidate] = [(legacy, cut[0]), (candidate, cut[1])].map(|(answer, is_cut)| match is_cut {
            false => Ok(answer),
            true => Err(Failed {
                failure: Failure::TooLarge,
                head: Some(Box::new(Answer { body: Bytes::new(), ..answer })),
            }),
        });
        match compared_legs(&Comparer::default(), Method::GET, legacy, candidate, "GET /") {
            Ok(found) => {
                let fits = match found.cell() {
                    Cell::Other => false,
                    // A body that can be read may refuse too.
                    Cell::DenyAllow => !after,
                    Cell::AllowDeny => !before,
                    Cell::AllowAllow => !before && !after,
                    Cell::DenyDeny => true,
                };
                prop_assert!(fits, "{}", found.cell().name());
            }
            Err(_) => prop_assert!(cut != [false, false] && are_equal),
        }
    }
}

/// Whatever its encoding is said to be, and whatever its bytes are.
fn undecodable_answer() -> impl Strategy<Value = Answer> {
    let encoding = prop::sample::select(vec!["gzip", "deflate", "br", "zstd", "UTF-8", "x-custom", "gzip, gzip", ""]);
    let body = prop_oneof![
        Just(br#"{"valid":true}"#.to_vec()),
        Just(br#"{"valid":false}"#.to_vec()),
        Just(gzip(br#"{"valid":false}"#).to_vec()),
        Just([&*gzip(b"{}"), b"\0\0"].concat()),
        prop::collection::vec(any::<u8>(), 0..40),
    ];
    let status = prop::sample::select(vec![200, 201, 204, 401, 403]);
    (status, encoding, body).prop_map(|(status, encoding, body)| {
        let mut answer = plain(status);
        answer.headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
        answer.body = body.into();
        answer
    })
}
