//! BLS12-381 in batches behind one dispatcher.
