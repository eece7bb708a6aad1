//! Tests of the `turmoil` world.
