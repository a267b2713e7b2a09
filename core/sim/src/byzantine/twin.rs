//! One key in two places: two machines run the honest pipeline with the same share and identity, each with a journal
//! of its own, and know nothing of each other. Each does only what an honest operator does; together they equivocate,
//! vote twice and forget what they said (Bano et al., "Twins: BFT Systems Made Robust", OPODIS 2021).

use super::Behaviour;

/// See the module's page. The second machine is made by the cluster.
#[derive(Clone, Copy, Debug, Default)]
pub struct Twin;

impl Behaviour for Twin {}
