//! Whole requests against the development credentials: documented answers only, and a yes only to a good credential.

#![no_main]

use auth_component::{Service, handle};
use auth_component_fuzz::Input;
use auth_component_fuzz::answer;
use auth_component_fuzz::request::Written;
use libfuzzer_sys::{Corpus, fuzz_target};

fuzz_target!(|data: &[u8]| -> Corpus {
    let input = Input::read(data);
    let Some(asked) = Written::read(&input.text) else { return Corpus::Reject };
    answer::check(&asked, &handle(&asked.request(), Service::development(), input.now), &input);
    Corpus::Keep
});
