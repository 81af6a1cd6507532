//! Nobody can tell the proxy from the service behind it.

use crate::contract;
use crate::wire::Wire;
use crate::world::{Legacy, World};

#[tokio::test]
async fn every_contract_case_is_answered_as_if_the_node_service_had_been_asked_itself() {
    let proxy = World::new().legacy(Legacy::node()).start().await;
    let cases = contract::cases();
    assert!(cases.len() >= 40);
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
