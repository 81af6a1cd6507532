//! What others are given to watch a proxy with names only what it has.

use std::collections::BTreeSet;

use crate::world::{Candidate, World, repository};

#[tokio::test]
async fn alert_rules_and_the_dashboard_name_only_metrics_that_exist() {
    // So that families with labels have a member: the tests of a look, an exchange that cannot be compared, a decision.
    let proxy = World::new().candidate(Candidate::absent()).start().await;
    proxy.ask(crate::wire::get("/")).await;
    proxy.settled().await;
    let before = proxy.admin_get("/metrics").await.text();
    assert_eq!(proxy.set_weight(10_000).await.status(), 200);
    let after = proxy.admin_get("/metrics").await.text();
    let known: BTreeSet<&str> = names(&before).chain(names(&after)).collect();
    for file in ["alerts.yml", "dashboard.json"] {
        let file = repository("migration-guide/observability").join(file);
        let text = std::fs::read_to_string(&file).expect("a file");
        let named: BTreeSet<&str> = names(&text).collect();
        assert!(named.len() >= 10, "{}: {named:?}", file.display());
        let unknown: Vec<_> = named.difference(&known).collect();
        assert!(unknown.is_empty(), "{}: {unknown:?}", file.display());
    }
}

/// Every word that begins like a metric of ours.
fn names(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.filter(|word| word.starts_with("shadow_proxy_"))
}
