//! Tests of the rules: tables, and random histories against invariants.
