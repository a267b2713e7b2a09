//! The set of states seen, in the order in which they were: each is kept whole, in eight bytes, with the
//! state that it came from. Nothing is taken for seen that was not, which fingerprints cannot promise.

/// No state: an empty place, or the parent of the first state.
pub(crate) const NONE: u32 = u32::MAX;

/// A hash set that remembers order and parents.
#[derive(Debug)]
pub(crate) struct Seen {
    states: Vec<u64>,
    parents: Vec<u32>,
    places: Vec<u32>,
}

impl Seen {
    pub(crate) fn new() -> Self {
        Self { states: Vec::new(), parents: Vec::new(), places: vec![NONE; 1 << 16] }
    }

    pub(crate) fn len(&self) -> usize {
        self.states.len()
    }

    pub(crate) fn state(&self, index: usize) -> u64 {
        self.states[index]
    }

    pub(crate) fn parent(&self, index: usize) -> Option<usize> {
        let parent = self.parents[index];
        (parent != NONE).then_some(parent as usize)
    }

    /// Adds a state; says whether it is new.
    pub(crate) fn insert(&mut self, state: u64, parent: u32) -> bool {
        let place = self.place(state);
        if self.places[place] != NONE {
            return false;
        }
        self.places[place] = u32::try_from(self.states.len()).expect("fewer states than fit in 32 bits");
        self.states.push(state);
        self.parents.push(parent);
        if self.states.len() * 4 > self.places.len() * 3 {
            self.grow();
        }
        true
    }

    fn place(&self, state: u64) -> usize {
        let mask = self.places.len() - 1;
        let mut place = usize::try_from(mixed(state) >> 16).expect("a usize has 64 bits") & mask;
        while self.places[place] != NONE && self.states[self.places[place] as usize] != state {
            place = (place + 1) & mask;
        }
        place
    }

    fn grow(&mut self) {
        self.places = vec![NONE; self.places.len() * 2];
        for index in 0..self.states.len() {
            let place = self.place(self.states[index]);
            self.places[place] = u32::try_from(index).expect("fewer states than fit in 32 bits");
        }
    }
}

fn mixed(state: u64) -> u64 {
    let mut mixed = (state ^ (state >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed ^ (mixed >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn agrees_with_a_set() {
        let (mut seen, mut set) = (Seen::new(), BTreeSet::new());
        let mut random = 1_u64;
        for _ in 0..200_000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let state = random >> 47;
            assert_eq!(seen.insert(state, NONE), set.insert(state));
        }
        assert_eq!(seen.len(), set.len());
    }
}
