//! Rings, batching and signing order from socket to vote.
