//! The whole contract through a store that holds what the development set knows.

use auth_component::{Parity, Service, Switch};

use crate::case::{answer, cases};
use crate::held::Store;

#[test]
fn every_case_is_answered_as_with_the_development_set() {
    let store = Store::development();
    let cases = cases();
    assert!(cases.len() >= 480, "{} cases", cases.len());
    for case in cases {
        assert_eq!(store.answer(&case.request), answer(&case.request, Service::development()), "{}", case.name);
    }
}

#[test]
fn every_case_is_answered_as_with_the_development_set_in_parity_mode() {
    let mut store = Store::development();
    store.change_settings(|settings| settings["parity"] = Switch::ALL.map(Switch::name).into());
    let parity = Parity::from_names(Switch::ALL.map(Switch::name)).expect("they are known");
    for case in cases() {
        let wanted = answer(&case.request, Service::development().with_parity(parity));
        assert_eq!(store.answer(&case.request), wanted, "{}", case.name);
    }
}

/// The same keys without ids are found under any pepper, and own keys wherever their record says.
#[test]
fn which_pepper_a_key_was_kept_under_changes_no_answer() {
    let mut store = Store::development();
    let old = crate::held::pepper("p1");
    store.change_settings(|settings| {
        let peppers = settings["peppers"].as_array_mut().expect("a list");
        for name in ["p0", "p2", "p3"] {
            let secret = crate::held::hex(&crate::held::pepper(name));
            peppers.insert(0, serde_json::json!({"name": name, "secret": secret}));
        }
    });
    assert!(store.settings["settings"].windows(64).any(|part| part == crate::held::hex(&old).as_bytes()));
    for case in cases() {
        assert_eq!(store.answer(&case.request), answer(&case.request, Service::development()), "{}", case.name);
    }
}
