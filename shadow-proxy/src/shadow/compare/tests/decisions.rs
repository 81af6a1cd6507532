use super::*;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DecisionCase {
    name: String,
    /// Of the first `[[compare.decisions]]`.
    toml: String,
    status: u16,
    #[serde(default)]
    headers: Vec<(String, String)>,
    #[serde(default)]
    body: String,
    decision: String,
}

#[test]
fn decisions() {
    #[derive(Deserialize)]
    struct File {
        decisions: Vec<RawDecision>,
    }
    let cases: Vec<DecisionCase> = serde_json::from_str(include_str!("../../cases/decisions.json")).unwrap();
    for case in cases {
        let mut comparer = Comparer::default();
        if !case.toml.is_empty() {
            let file: File = toml::from_str(&format!("[[decisions]]\n{}", case.toml)).expect(&case.name);
            comparer.decisions.rules = DecisionRule::parse_all(file.decisions).expect(&case.name);
        }
        let answer = answer(&CaseAnswer {
            status: case.status,
            headers: case.headers,
            body: case.body,
            ..CaseAnswer::default()
        });
        let found = compared(&comparer, Method::POST, Ok(answer.clone()), Ok(answer), "POST /auth/validate").unwrap();
        let names = [found.legacy, found.candidate].map(|decision| serde_json::to_value(decision).unwrap());
        assert_eq!(names, [case.decision.as_str(), case.decision.as_str()], "{}", case.name);
    }
}
