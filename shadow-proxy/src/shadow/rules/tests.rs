use serde::Deserialize;

use super::*;

#[test]
fn the_starter_set_excuses_values_not_presence() {
    let rules = Rules::starter();
    for (path, kind, rule) in [
        ("header.date", Kind::Value, Some("starter:date")),
        ("header.date", Kind::Missing, None),
        ("header.x-request-id", Kind::Added, None),
        ("header.x-powered-by", Kind::Missing, Some("starter:x-powered-by")),
        ("header.server", Kind::Added, Some("starter:server")),
        ("header.x-candidate-id", Kind::Value, None),
        ("header.etag", Kind::Value, None),
        ("header.set-cookie", Kind::Value, None),
        ("status", Kind::Value, None),
        ("decision", Kind::Value, None),
        ("body.date", Kind::Value, None),
    ] {
        assert_eq!(explained(&rules, path, kind, "GET /").as_deref(), rule, "{path} {kind:?}");
    }
}

#[test]
fn the_users_rules_come_first_and_explain_only_what_they_list() {
    let rules = parse(
        r#"
        [[rules]]
        name = "ids"
        endpoint = "POST /auth/validate"
        path = "body.*.id"
        reason = "random"
        expires = "2027-06-30"

        [[rules]]
        name = "dates"
        path = "header.Date"
        explains = ["value", "missing"]
        reason = "the candidate has no clock"
        expires = "2027-06-30"

        [[rules]]
        name = "never reached"
        path = "header.date"
        explains = ["missing"]
        reason = "shadowed by the one above"
        expires = "2027-06-30"
        "#,
    )
    .unwrap();
    for (path, kind, endpoint, rule) in [
        ("body.user.id", Kind::Value, "POST /auth/validate", Some("ids")),
        ("body.user.id", Kind::Value, "POST (unnamed)", None),
        ("body.user.id", Kind::Type, "POST /auth/validate", None),
        ("body.user.id", Kind::Missing, "POST /auth/validate", None),
        ("body.id", Kind::Value, "POST /auth/validate", None),
        ("header.date", Kind::Value, "GET /", Some("dates")),
        ("header.date", Kind::Missing, "GET /", Some("dates")),
        ("header.date", Kind::Added, "GET /", None),
        ("header.age", Kind::Value, "GET /", Some("starter:age")),
    ] {
        assert_eq!(explained(&rules, path, kind, endpoint).as_deref(), rule, "{path} {kind:?} {endpoint}");
    }
}

#[test]
fn all_errors_at_once() {
    let errors = parse(
        r#"
        [[rules]]
        endpoint = "/auth/validate"
        path = "body.items[0]"
        explains = ["other"]
        expires = "soon"

        [[rules]]
        name = "starter:mine"
        path = "decision"
        explains = []
        reason = "it is fine"
        expires = "2027-06-30"
        places_max = 0

        [[rules]]
        name = "twice"
        path = "header.a"
        reason = "r"
        expires = "2027-06-30"

        [[rules]]
        name = "twice"
        path = "header.a"
        reason = "r"
        expires = "2027-06-30"
        "#,
    )
    .unwrap_err();
    insta::assert_snapshot!(errors.join("\n"), @r#"
    rules[0].name = "": a rule is told by its name; write for example `name = "ids-are-random"`
    rules[0].endpoint = "/auth/validate": not an endpoint; write method and path as they are shown, e.g. "POST /auth/validate"
    rules[0].reason = "": nobody can review a rule without one; write why the difference does not matter, in up to 1000 bytes
    rules[0].explains = ["other"]: not a list of kinds; write one or more of "value", "missing", "added", "type", "order", "repeated"
    rules[0].expires = "soon": not a day; write the first one on which the rule no longer holds, e.g. expires = "2027-06-30"
    rules[0].path = "body.items[0]": positions are not part of a path; write `[]` for every element, or `["key"]`
    rules[1].name = "starter:mine": `starter:` begins the names of built-in rules; choose another name
    rules[1].explains = []: not a list of kinds; write one or more of "value", "missing", "added", "type", "order", "repeated"
    rules[1].places_max = 0: a rule is for one place or more; write for example `places_max = 1`
    rules[1].path = "decision": a flipped decision is never explained; make the sides agree, or name another place
    rules[3].name = "twice": another rule has this name; choose one that is not taken
    "#);
}

#[test]
fn what_a_rule_may_not_say() {
    let errors = |rule: &str| {
        let head = "name = \"a\"\nreason = \"r\"\nexpires = \"2027-06-30\"\n";
        match parse(&format!("[[rules]]\n{head}{rule}")) {
            Ok(_) => format!("{rule}: taken"),
            Err(errors) => errors.join("\n"),
        }
    };
    let rules = [
        "path = \"status\"",
        "path = \"status\"\nlegacy = \"204\"",
        "path = \"header\"",
        "path = \"jwt\"",
        "path = \"body.id\"\nclass = \"uuid\"\npattern = \"a\"",
        "path = \"body.id\"\nclass = \"uuid\"\nexplains = [\"value\", \"type\"]",
        "path = \"body.id\"\nclass = \"guid\"",
        "path = \"body.id\"\nclass = \"null\"",
        "path = \"body.id\"\npattern = \"a(\"",
        "path = \"body.id\"\npattern = \"a)|(?:.*\"",
        "path = \"body.id\"\npattern = \"(\\\\w{1000}){1000}\"",
        "path = \"body.id\"\ntolerance = -1",
        "path = \"body.id\"\nunordered = true\nexplains = [\"value\"]",
        "path = \"header.vary\"\nunordered = true",
        "path = \"body.items\"\nkeyed_by = \"\"",
        "path = \"body.*\"\nrenamed_to = \"b\"",
        "path = \"body.id\"\nexplains = [\"renamed\"]",
        "path = \"body.id\"\nnull_is_missing = true\nexplains = [\"missing\", \"type\"]",
    ];
    insta::assert_snapshot!(rules.map(errors).join("\n"), @r#"
    rules[0].path = "status": a status says what became of the request; write the agreed ones as legacy and candidate
    rules[0].path = "status": a status says what became of the request; write the agreed ones as legacy and candidate
    rules[0].path = "header": headers have names; write `header.NAME` or `header.*`
    rules[0].path = "jwt": a token has header, claims, lifetime_s, signature; write for example `jwt.claims.iat` or `body.token(jwt).lifetime_s`
    rules[0].class: stands beside pattern, and a rule has one condition; write one rule for each
    rules[0].explains = ["value", "type"]: a rule about both values explains `value` alone; leave `explains` away, and write another rule for the rest
    rules[0].class = "guid": no class; write one of text, number, uuid, hex, base64, jwt, date-time, bytes, empty, null, bool, array, object
    rules[0].class = "null": has one value, so that two of it never differ; write null_is_missing, or the values as legacy and candidate
    rules[0].pattern = "a(": is no regular expression (unclosed group); write for example `[0-9a-f]{32}`
    rules[0].pattern = "a)|(?:.*": is no regular expression (unopened group); write for example `[0-9a-f]{32}`
    rules[0].pattern = "(\\w{1000}){1000}": takes too much memory; repeat less, e.g. `[0-9a-f]{32}`
    rules[0].tolerance = -1: not a number from 0 up; write for example `tolerance = 0.5`
    rules[0].explains = ["value"]: a rule about an array explains `order` alone; leave `explains` away, and write another rule for the rest
    rules[0].path = "header.vary": only JSON has names and arrays that this can be said of; write a path below `body` or `jwt`
    rules[0].keyed_by = "": the name of a member is not empty; write for example `keyed_by = "id"`
    rules[0].path = "body.*": one name is renamed, not any; write the path of the member, e.g. `body.user.id`
    rules[0].explains = ["renamed"]: `renamed` is for a rule that says the name; write it with renamed_to
    rules[0].explains = ["missing", "type"]: null_is_missing explains `missing` and `added` alone; leave `explains` away, and write another rule for the rest
    "#);
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    /// TOML; its name, reason and expiry are added where it has none.
    rule: String,
    /// The differences below, each with whether it is explained.
    differences: Vec<CaseDifference>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseDifference {
    path: String,
    #[serde(default = "value")]
    kind: Kind,
    legacy: Option<String>,
    candidate: Option<String>,
    #[serde(default = "endpoint")]
    endpoint: String,
    #[serde(default = "day")]
    day: String,
    explained: bool,
}

#[test]
fn cases() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("../cases/rules.json")).unwrap();
    for case in cases {
        let mut toml = format!("[[rules]]\n{}\n", case.rule);
        for (key, default) in [("name", "the rule"), ("reason", "a test"), ("expires", "2027-06-30")] {
            if !case.rule.contains(&format!("{key} =")) {
                toml += &format!("{key} = \"{default}\"\n");
            }
        }
        let rules = parse(&toml).unwrap_or_else(|errors| panic!("{}: {errors:?}", case.name));
        assert!(case.differences.iter().any(|d| d.explained) && case.differences.iter().any(|d| !d.explained));
        for one in case.differences {
            let CaseDifference { path, kind, legacy, candidate, endpoint, day, explained } = one;
            let what = format!("{}: {path} {kind:?} {legacy:?} {candidate:?} {endpoint} {day}", case.name);
            let mut differences = [Difference { path, kind, legacy, candidate, rule: None }];
            rules.explain(&mut differences, &endpoint, Day::parse(&day).expect("a day"));
            assert_eq!(differences[0].rule.as_deref() == Some("the rule"), explained, "{what}");
        }
    }
}

fn value() -> Kind {
    Kind::Value
}

fn endpoint() -> String {
    "GET /a".to_owned()
}

fn day() -> String {
    "2027-01-01".to_owned()
}

#[test]
fn arrays_and_names_are_told_as_the_rules_say() {
    let rules = parse(
        r#"
        [[rules]]
        name = "groups"
        endpoint = "GET /a"
        path = "body.groups"
        unordered = true
        reason = "a set"
        expires = "2027-06-30"

        [[rules]]
        name = "items"
        endpoint = "GET /a"
        path = "body.*[].items"
        keyed_by = "id"
        reason = "a table"
        expires = "2027-06-30"

        [[rules]]
        name = "user"
        path = "body.userId"
        renamed_to = "user_id"
        reason = "the new spelling"
        expires = "2027-06-30"
        "#,
    )
    .unwrap();
    for (endpoint, path, pairing) in [
        ("GET /a", "body.groups", Pairing::Unordered),
        ("GET /b", "body.groups", Pairing::ByPosition),
        ("GET /a", "body.groups[]", Pairing::ByPosition),
        ("GET /a", "body.orders[].items", Pairing::KeyedBy("id")),
        ("GET /a", "body.userId", Pairing::ByPosition),
    ] {
        assert_eq!(rules.pairing(endpoint, path), pairing, "{endpoint} {path}");
    }
    assert_eq!(rules.renamed("GET /b", "body.userId"), Some("user_id"));
    assert_eq!(rules.renamed("GET /b", "body.user"), None);
    assert_eq!(Rules::starter().renamed("GET /b", "body.userId"), None);
}

#[test]
fn the_first_rule_that_explains_a_difference_names_it_whatever_its_path_ends_in() {
    let rule = |name: &str, path: &str| {
        format!("[[rules]]\nname = \"{name}\"\npath = \"{path}\"\nreason = \"r\"\nexpires = \"2027-06-30\"\n")
    };
    for (first, second) in [("header.*", "header.x-a"), ("header.x-a", "header.*")] {
        let rules = parse(&(rule("first", first) + &rule("second", second))).unwrap();
        assert_eq!(explained(&rules, "header.x-a", Kind::Value, "GET /").as_deref(), Some("first"), "{first}");
    }
}

#[test]
fn an_expired_rule_is_told_and_makes_another_digest() {
    let toml = r#"
        [[rules]]
        name = "ids"
        path = "body.id"
        reason = "random"
        expires = "2027-06-30"
    "#;
    let rules = parse(toml).unwrap();
    let [before, after] = ["2027-06-29", "2027-06-30"].map(|day| Day::parse(day).unwrap());
    assert_eq!(rules.expired(before), Vec::<String>::new());
    assert_eq!(
        rules.expired(after),
        [
            "rule \"ids\" expired on 2027-06-30 and explains nothing; look at it again, then delete it or write a later day"
        ]
    );
    assert_eq!(rules.digest(after), Rules::starter().digest(after));
    assert_ne!(rules.digest(before), rules.digest(after));
    let reworded = parse(&toml.replace("random", "random ids").replace("\"ids\"", "\"other\"")).unwrap();
    assert_eq!(rules.digest(before), reworded.digest(before), "what it explains is the same");
    let narrower = parse(&toml.replace("reason", "class = \"uuid\"\nreason")).unwrap();
    assert_ne!(rules.digest(before), narrower.digest(before));
}

#[test]
fn the_starter_set_knows_the_clocks_of_tokens_and_not_their_lifetimes() {
    let rules = Rules::starter();
    for (path, legacy, candidate, rule) in [
        ("body.token(jwt).claims.iat", "1700000000", "1700000030", Some("starter:jwt-iat")),
        ("body.token(jwt).claims.exp", "1700000031", "1700000000", None),
        ("header.authorization(jwt).claims.nbf", "1700000001", "1700000000", Some("starter:jwt-nbf")),
        ("body.token(jwt).claims.jti", "\"a\"", "\"b\"", Some("starter:jwt-jti")),
        ("body.token(jwt).claims.user.iat", "1", "2", None),
        ("body.token(jwt).lifetime_s", "3600", "3601", None),
        ("body.iat", "1700000000", "1700000001", None),
    ] {
        let (legacy, candidate) = (Some(legacy.to_owned()), Some(candidate.to_owned()));
        let mut differences = [Difference { path: path.into(), kind: Kind::Value, legacy, candidate, rule: None }];
        rules.explain(&mut differences, "GET /", Day::of_ms(0));
        assert_eq!(differences[0].rule.as_deref(), rule, "{path}");
    }
}

fn parse(toml: &str) -> Result<Rules, Vec<String>> {
    #[derive(Deserialize)]
    struct File {
        rules: Vec<RawRule>,
    }
    Rules::parse(toml::from_str::<File>(toml).unwrap().rules)
}

fn explained(rules: &Rules, path: &str, kind: Kind, endpoint: &str) -> Option<String> {
    let mut differences = [Difference { path: path.into(), kind, legacy: None, candidate: None, rule: None }];
    rules.explain(&mut differences, endpoint, Day::of_ms(0));
    differences[0].rule.as_deref().map(str::to_owned)
}
