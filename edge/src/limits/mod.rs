//! How often somebody may ask: addresses and accounts.
//! Caps on calls are `accounts`'.

mod object;
