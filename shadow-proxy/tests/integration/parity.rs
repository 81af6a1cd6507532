//! Nobody can tell the proxy from the service behind it.

use crate::contract;
use crate::wire::Wire;
use crate::world::{Legacy, World};

#[tokio::test]
async fn every_contract_case_is_answered_as_if_the_node_service_had_been_asked_itself() {
    // Each is to be compared, also on a machine that is slow.
    let proxy = World::new().legacy(Legacy::node()).config("candidate.deadline_ms = 60000").start().await;
    let cases = contract::cases();
    assert!(cases.len() >= 500);
    for case in &cases {
        let request = &case.request;
        let direct = Wire::connect(proxy.node()).await.ask(request).await;
        let through = proxy.ask(request).await;
        let name = &case.name;
        assert_eq!(through.start, direct.start, "{name}");
        assert_eq!(through.end_to_end(), direct.end_to_end(), "{name}");
        assert_eq!(through.text(), direct.text(), "{name}");
    }
    let status = proxy.settled().await;
    assert_eq!(status["requests"]["compared"], cases.len(), "{status:#}");
}

/// What the proxy's own parser refuses never reaches the service; what it reads otherwise than Node, and sends on in its
/// own writing, is named by the cases; everything else is for the service to judge.
#[tokio::test]
async fn bytes_are_judged_by_the_node_service_or_refused_before_it() {
    let proxy = World::new().legacy(Legacy::node()).start().await;
    let mut different = Vec::new();
    for case in contract::raw_cases() {
        let direct = contract::ask(proxy.node(), &case).await;
        let through = contract::ask(proxy.listen, &case).await;
        let is_same = through.status() == direct.status() && through.text() == direct.text();
        if !(is_same || (400..500).contains(&through.status()) || case.is_read_otherwise()) {
            different.push(format!("{}: {} for {}", case.name, through.start, direct.start));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}
