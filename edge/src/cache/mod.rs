//! Two layers of cache before the database: this data centre's, then everybody's.
//! What is cached, and for how long, is its feature's.

mod fill;
