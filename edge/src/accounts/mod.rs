//! Accounts, people, business profiles, numbers, keys, credits, and whether a call may start.
//! Who the caller is was settled in `auth`.

mod account;
pub mod admission;
mod api_keys;
pub mod credits;
pub mod database;
pub mod dialled;
pub mod hours;
pub mod lookup;
pub mod node_cap;
mod numbers;
mod object;
mod people;
pub mod profile;
mod profiles;
pub mod short_cache;
mod store;
pub mod verbs;

use crate::http::routes::RouteId;
use crate::http::{Answer, ApiError, Call};

pub async fn serve(id: RouteId, call: Call) -> Answer {
    match id {
        RouteId::Admission => admission::serve(&call).await,
        RouteId::AdmissionWithdraw => admission::withdraw(&call).await,
        RouteId::AdminAccounts => account::list(&call).await,
        RouteId::AdminAccountCreate => account::create(&call).await,
        RouteId::AdminAccountChange => account::change(&call).await,
        RouteId::AdminGrant => account::enter(&call, "grant").await,
        RouteId::AdminRefund => account::enter(&call, "refund").await,
        RouteId::AdminNumber => numbers::provide(&call).await,
        RouteId::AdminTrunk => numbers::trunk(&call).await,
        RouteId::SignUp => people::sign_up(&call).await,
        RouteId::Me => people::me(&call).await,
        RouteId::AccountRead => account::read(&call).await,
        RouteId::Ledger => account::ledger(&call).await,
        RouteId::Profiles => profiles::list(&call).await,
        RouteId::ProfileCreate => profiles::create(&call).await,
        RouteId::ProfileRead => profiles::get(&call).await,
        RouteId::ProfileChange => profiles::change(&call).await,
        RouteId::ProfileDelete => profiles::delete(&call).await,
        RouteId::Numbers => numbers::list(&call).await,
        RouteId::NumberCreate => numbers::claim(&call).await,
        RouteId::NumberDelete => numbers::release(&call).await,
        RouteId::ApiKeys => api_keys::list(&call).await,
        RouteId::ApiKeyCreate => api_keys::create(&call).await,
        RouteId::ApiKeyDelete => api_keys::revoke(&call).await,
        _ => Err(ApiError::not_found("there is nothing here")),
    }
}

/// Checks the length of a text, in characters without the space around it.
fn bounded(field: &str, value: &str, least: usize, most: usize) -> Result<(), ApiError> {
    let length = value.trim().chars().count();
    if value.len() > most * 4 || !(least..=most).contains(&length) {
        return Err(ApiError::bad_request(format!("{field}: must have {least} to {most} characters")));
    }
    Ok(())
}
