//! One exchange: what was asked, and both answers side by side with what differs marked.

use maud::{Markup, html};

use super::figures::visible;
use super::tree::{self, Node};
use crate::exchange::{Kind, Side};
use crate::shadow::path;
use crate::shadow::record::Shown;
use crate::shadow::redact::{ShownAnswer, ShownCall, ShownDifference};
use crate::show::finding::ShownSample;

pub fn exchange(sample: &ShownSample) -> Markup {
    let ShownSample { shown: Shown { call, legacy, candidate }, differences, .. } = sample;
    html! {
        (self::differences(differences))
        div.answers {
            (answer(Side::Legacy, legacy.as_ref(), differences))
            (answer(Side::Candidate, candidate.as_ref(), differences))
        }
        (tokens(differences))
        (request(call))
    }
}

/// A list of all places, so that a screen reader needs not look for marks in two trees.
fn differences(differences: &[ShownDifference]) -> Markup {
    html! {
        h3 { "Where they differ" }
        @if differences.is_empty() { p { "What differed was not kept with this exchange." } }
        @else {
            div.scroll tabindex="0" role="region" aria-label="Where they differ" {
                table.differences {
                    thead { tr { th scope="col" { "place" } th scope="col" { "legacy" } th scope="col" { "candidate" } th scope="col" { "explained by" } } }
                    tbody {
                        @for difference in differences.iter().take(DIFFERENCES_MAX) {
                            tr {
                                th scope="row" { (mark(difference)) " " code { (visible(&difference.path, PATH_MAX)) } }
                                td { (value(difference.legacy.as_deref())) }
                                td { (value(difference.candidate.as_deref())) }
                                td { (visible(difference.rule.as_deref().unwrap_or("no rule"), PATH_MAX)) }
                            }
                        }
                    }
                }
            }
            @if differences.len() > DIFFERENCES_MAX { p { (differences.len() - DIFFERENCES_MAX) " more: shadow-proxy diffs show" } }
        }
    }
}

fn answer(side: Side, answer: Option<&ShownAnswer>, differences: &[ShownDifference]) -> Markup {
    let differences: Vec<&ShownDifference> = differences.iter().filter(|one| concerns(one, side)).collect();
    let at = |path: &str| differences.iter().copied().find(|difference| difference.path == path);
    let name = side.name();
    html! {
        section.answer.(name) aria-label=(format!("The answer of {name}")) {
            h3 { span.side.(name) { (name) } @if answer.is_some() { " answered " } @else { " gave no answer" }
                @if let Some(answer) = answer { @match at("status") {
                    Some(difference) => { span.differs { (answer.status) " " (mark(difference)) } }
                    None => { (answer.status) }
                } }
            }
            @if let Some(answer) = answer {
                @if let Some(decision) = at("decision") {
                    p.differs { (mark(decision)) " it means: " strong { (value(side_of(decision, side))) } }
                }
                h4 { "Headers" }
                dl.headers {
                    @for (header, text) in answer.headers.iter().take(HEADERS_MAX) {
                        @let difference = of_header(&differences, header);
                        div.differs[difference.is_some()] {
                            dt { (visible(header, PATH_MAX)) }
                            dd { code { (visible(text, VALUE_MAX)) } @if let Some(difference) = difference { " " (mark(difference)) } }
                        }
                    }
                }
                @if answer.headers.len() > HEADERS_MAX { p { (answer.headers.len() - HEADERS_MAX) " more headers" } }
                h4 { "Body" }
                @match tree::parse(&answer.body) {
                    Some(node) => {
                        ul.tree { (branch(None, &node, "body", side, &differences)) }
                    }
                    None if answer.body.is_empty() => p.quiet { "empty" },
                    None => {
                        pre.differs[at("body").is_some()] tabindex="0" { (visible(&answer.body, BODY_MAX)) }
                    }
                }
            }
        }
    }
}

/// Whether it is seen on this side: what only the other has cannot be marked here.
fn concerns(difference: &ShownDifference, side: Side) -> bool {
    match difference.kind {
        Kind::Missing => side == Side::Legacy,
        Kind::Added => side == Side::Candidate,
        _ => true,
    }
}

/// One value with its name, and what is below it.
fn branch(name: Option<&str>, node: &Node, place: &str, side: Side, differences: &[&ShownDifference]) -> Markup {
    let token = format!("{place}(jwt)");
    // Positions are not part of a path: of several elements it is the one with that value.
    let is_meant = |difference: &&&ShownDifference| match (node, side_of(difference, side)) {
        (Node::Leaf(text), Some(value)) if place.contains("[]") => text == value,
        _ => true,
    };
    let mut here = differences.iter().filter(|difference| difference.path == place);
    let difference = here.find(is_meant);
    let of_token = differences.iter().find(|difference| difference.path.starts_with(&token));
    let below = |key: &str| {
        let mut below = place.to_owned();
        path::push_key(&mut below, key);
        below
    };
    html! {
        li.differs[difference.or(of_token).is_some()] {
            @if let Some(name) = name.filter(|name| !name.is_empty()) { span.name { (visible(name, PATH_MAX)) } ": " }
            @match node {
                Node::Leaf(text) => { code { (visible(text, VALUE_MAX)) } }
                Node::Object(members) => { span.quiet { "{" (members.len()) "}" } }
                Node::Array(elements) => { span.quiet { "[" (elements.len()) "]" } }
            }
            @if let Some(difference) = difference { " " (mark(difference)) }
            @if of_token.is_some() { " " span.mark { "≠ inside the token, below" } }
            @match node {
                Node::Leaf(_) => {}
                Node::Object(members) => {
                    ul { @for (key, member) in members { (branch(Some(key), member, &below(key), side, differences)) } }
                }
                Node::Array(elements) => {
                    @let place = { let mut below = place.to_owned(); path::push_elements(&mut below); below };
                    ul { @for element in elements { (branch(None, element, &place, side, differences)) } }
                }
            }
        }
    }
}

/// What tokens say, by claims: only these are kept of a token.
fn tokens(differences: &[ShownDifference]) -> Markup {
    let inside = |difference: &ShownDifference| {
        let (token, claim) = difference.path.split_once(TOKEN)?;
        Some((token.to_owned(), claim.trim_start_matches('.').to_owned()))
    };
    let mut places: Vec<String> = differences.iter().filter_map(inside).map(|(token, _)| token).collect();
    places.dedup();
    html! {
        @for place in places.iter().take(TOKENS_MAX) {
            section.token {
                h3 { "Inside the token at " code { (visible(place, PATH_MAX)) } }
                p.quiet { "What is equal on both sides is not kept." }
                div.answers {
                    @for side in [Side::Legacy, Side::Candidate] {
                        div.answer.(side.name()) {
                            h4 { span.side.(side.name()) { (side.name()) } }
                            ul.tree {
                                @for difference in differences {
                                    @if let Some((of, claim)) = inside(difference) {
                                        @if of == *place {
                                            li.differs { span.name { (visible(&claim, PATH_MAX)) } ": " (value(side_of(difference, side))) " " (mark(difference)) }
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn request(call: &ShownCall) -> Markup {
    html! {
        section.request aria-label="The request" {
            h3 { "What was asked" }
            p { code { (visible(&call.method, PATH_MAX)) " " (visible(&call.path, VALUE_MAX)) } }
            dl.headers {
                @for (header, text) in call.headers.iter().take(HEADERS_MAX) {
                    div { dt { (visible(header, PATH_MAX)) } dd { code { (visible(text, VALUE_MAX)) } } }
                }
            }
            @if !call.body.is_empty() { pre tabindex="0" { (visible(&call.body, BODY_MAX)) } }
            p.quiet { "‹class length hash› stands for what was not kept: equal ones were equal." }
        }
    }
}

fn side_of(difference: &ShownDifference, side: Side) -> Option<&str> {
    match side {
        Side::Legacy => difference.legacy.as_deref(),
        Side::Candidate => difference.candidate.as_deref(),
    }
}

fn of_header<'a>(differences: &[&'a ShownDifference], name: &str) -> Option<&'a ShownDifference> {
    let mut place = "header".to_owned();
    path::push_key(&mut place, name);
    differences.iter().copied().find(|difference| {
        difference.path.strip_prefix(&place).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[', '(']))
    })
}

fn value(value: Option<&str>) -> Markup {
    html! {
        @match value {
            Some("") => { span.quiet { "empty" } }
            Some(text) => { code { (visible(text, VALUE_MAX)) } }
            None => { span.quiet { "nothing" } }
        }
    }
}

/// A sign and a word, so that colour is not needed.
fn mark(difference: &ShownDifference) -> Markup {
    let (sign, word) = match difference.kind {
        Kind::Value => ("≠", "differs"),
        Kind::Missing => ("−", "only legacy"),
        Kind::Added => ("+", "only candidate"),
        Kind::Type => ("≠", "another type"),
        Kind::Order => ("⇅", "another order"),
        Kind::Repeated => ("×", "repeated"),
        Kind::Renamed => ("→", "renamed"),
    };
    html! { span.mark.explained[difference.rule.is_some()] { (sign) " " (word) @if difference.rule.is_some() { ", explained" } } }
}

const TOKEN: &str = "(jwt)";
/// In characters.
const PATH_MAX: usize = 200;
const VALUE_MAX: usize = 600;
const BODY_MAX: usize = 8_000;
const HEADERS_MAX: usize = 60;
const DIFFERENCES_MAX: usize = 100;
const TOKENS_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn difference(path: &str, kind: Kind, legacy: Option<&str>, candidate: Option<&str>) -> ShownDifference {
        let text = |text: Option<&str>| text.map(str::to_owned);
        ShownDifference {
            path: path.to_owned(),
            kind,
            legacy: text(legacy),
            candidate: text(candidate),
            classes: (None, None),
            rule: None,
        }
    }

    fn sample(body: &str, differences: Vec<ShownDifference>) -> ShownSample {
        let answer =
            ShownAnswer { status: 200, headers: vec![("etag".into(), "‹text 3 1›".into())], body: body.to_owned() };
        let call = ShownCall { method: "GET".into(), path: "/".into(), headers: Vec::new(), body: String::new() };
        ShownSample {
            at_ms: 0,
            shown: Shown { call, legacy: Some(answer.clone()), candidate: Some(answer) },
            differences,
        }
    }

    #[test]
    fn each_place_that_differs_is_marked_where_it_stands() {
        let body = r#"{"user":{"roles":["a","b"],"na.me":"x"},"same":1}"#;
        let shown = exchange(&sample(
            body,
            vec![
                difference("body.user.roles[]", Kind::Value, Some("\"a\""), Some("\"b\"")),
                difference(r#"body.user["na.me"]"#, Kind::Type, None, None),
                difference("header.etag", Kind::Missing, Some("x"), None),
            ],
        ))
        .into_string();
        assert!(shown.contains(r#"<li class="differs"><span class="name">na.me</span>: <code>&quot;x&quot;</code> <span class="mark">≠ another type</span>"#), "{shown}");
        assert!(
            shown.contains(r#"<li class="differs"><code>&quot;a&quot;</code> <span class="mark">≠ differs</span>"#),
            "{shown}"
        );
        assert!(shown.contains(r#"<li class=""><span class="name">same</span>: <code>1</code></li>"#), "{shown}");
        assert!(shown.contains(r#"<div class="differs"><dt>etag</dt>"#), "{shown}");
    }

    #[test]
    fn of_several_elements_the_one_that_only_one_side_has_is_marked_there() {
        let differences = vec![
            difference("body.scopes[]", Kind::Missing, Some("\"write\""), None),
            difference("header.etag", Kind::Missing, Some("x"), None),
        ];
        let shown = exchange(&sample(r#"{"scopes":["read","write"]}"#, differences)).into_string();
        let (legacy, candidate) = shown.split_once("answer candidate").expect("both sides");
        assert!(legacy.contains(r#"<li class=""><code>&quot;read&quot;</code></li>"#), "{legacy}");
        assert!(legacy.contains(r#"<li class="differs"><code>&quot;write&quot;</code>"#), "{legacy}");
        assert!(!candidate.contains("differs\""), "{candidate}");
    }

    #[test]
    fn claims_stand_beside_each_other() {
        let shown = exchange(&sample(
            r#"{"access_token":"‹jwt 300 ab›"}"#,
            vec![difference("body.access_token(jwt).claims.role", Kind::Value, Some("\"user\""), Some("\"admin\""))],
        ))
        .into_string();
        assert!(shown.contains("Inside the token at <code>body.access_token</code>"), "{shown}");
        assert!(shown.contains(r#"<span class="name">claims.role</span>: <code>&quot;user&quot;</code>"#), "{shown}");
        assert!(shown.contains("≠ inside the token, below"), "{shown}");
    }

    #[test]
    fn nothing_that_was_mirrored_is_markup() {
        let evil = "<script>alert(1)</script><img src=x onerror=alert(1)>\u{202e}";
        let shown = exchange(&sample(evil, vec![difference(evil, Kind::Value, Some(evil), Some(evil))])).into_string();
        assert!(!shown.contains("<script") && !shown.contains("<img") && !shown.contains('\u{202e}'), "{shown}");
        assert!(shown.contains("&lt;script&gt;") && shown.contains("[U+202E]"), "{shown}");
        let long = "x".repeat(10_000_000);
        assert!(exchange(&sample(&long, Vec::new())).into_string().len() < 50_000);
    }
}
