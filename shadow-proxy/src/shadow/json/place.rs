//! The values at one place of a document.

use super::document::{Document, Member, ROOT, Type};
use crate::shadow::path::Segment;

impl Document {
    /// Whether one of the values at a place below the root is such a one.
    pub(crate) fn any_at(&self, place: &[Segment], is_such: impl Fn(Member) -> bool) -> bool {
        let mut nodes = vec![ROOT];
        for segment in place {
            nodes = nodes.into_iter().flat_map(|node| self.step(node, segment)).collect();
        }
        nodes.into_iter().any(|node| is_such(self.value(node)))
    }

    fn step(&self, node: u32, segment: &Segment) -> Vec<u32> {
        let of_type = |container| self.type_of(node) == container;
        match segment {
            Segment::Key(name) => self.last_member(node, name.as_bytes()).map(|(_, value)| value).into_iter().collect(),
            Segment::AnyKey if of_type(Type::Object) => self.members(node).map(|(_, value)| value).collect(),
            Segment::Elements if of_type(Type::Array) => self.elements(node).collect(),
            _ => Vec::new(),
        }
    }
}
