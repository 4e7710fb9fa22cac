//! How objects use their SQLite: typed rows, numbers, and writes that happen together or not at all.
//! Which tables there are is each object's.

use serde::de::DeserializeOwned;
use worker::wasm_bindgen::{JsCast, JsValue, prelude::wasm_bindgen};
use worker::{SqlStorage, SqlStorageValue, Storage};

use crate::http::ApiError;

#[wasm_bindgen]
extern "C" {
    /// `storage`, for the one thing `worker` does not wrap.
    type SyncStorage;

    #[wasm_bindgen(method, catch, js_name = transactionSync)]
    fn transaction_sync(this: &SyncStorage, closure: &mut dyn FnMut() -> Result<(), JsValue>) -> Result<(), JsValue>;
}

/// An object's database.
pub struct Database {
    sql: SqlStorage,
    storage: Storage,
}

// === impl Database ===

impl Database {
    /// Opens it and makes the tables of `schema` that are not there.
    ///
    /// # Errors
    /// If SQLite refuses.
    pub fn open(storage: Storage, schema: &str) -> Result<Self, ApiError> {
        let sql = storage.sql();
        sql.exec(schema, None)?;
        Ok(Self { sql, storage })
    }

    /// # Errors
    /// If SQLite refuses or a row is not what was expected.
    pub fn all<T: DeserializeOwned>(&self, query: &str, values: Vec<SqlStorageValue>) -> Result<Vec<T>, ApiError> {
        Ok(self.sql.exec(query, values)?.to_array()?)
    }

    /// # Errors
    /// If SQLite refuses or the row is not what was expected.
    pub fn first<T: DeserializeOwned>(&self, query: &str, values: Vec<SqlStorageValue>) -> Result<Option<T>, ApiError> {
        Ok(self.all(query, values)?.into_iter().next())
    }

    /// # Errors
    /// If SQLite refuses.
    pub fn run(&self, query: &str, values: Vec<SqlStorageValue>) -> Result<(), ApiError> {
        self.sql.exec(query, values)?;
        Ok(())
    }

    /// Everything `work` writes is kept, or nothing if it fails.
    ///
    /// # Errors
    /// What `work` says, or that SQLite does not commit.
    pub fn together<T>(&self, work: impl FnOnce(&Self) -> Result<T, ApiError>) -> Result<T, ApiError> {
        let (mut work, mut outcome) = (Some(work), None);
        let mut closure = || {
            if let Some(work) = work.take() {
                let done = work(self);
                let failed = done.is_err();
                outcome = Some(done);
                if failed {
                    return Err(JsValue::from_str("undone"));
                }
            }
            Ok(())
        };
        let committed = self.storage.as_raw().unchecked_ref::<SyncStorage>().transaction_sync(&mut closure);
        match (outcome, committed) {
            (Some(Err(error)), _) => Err(error),
            (Some(Ok(done)), Ok(())) => Ok(done),
            (_, Err(error)) => Err(worker::Error::from(error).into()),
            (None, Ok(())) => Err(ApiError::internal("a transaction did nothing")),
        }
    }
}

/// A whole number as SQLite takes it.
///
/// # Errors
/// If JavaScript could not hold it.
pub fn number(value: u64) -> Result<SqlStorageValue, ApiError> {
    let value = i64::try_from(value).map_err(|_| ApiError::bad_request(format!("{value} is too large")))?;
    SqlStorageValue::try_from_i64(value).map_err(|_| ApiError::bad_request(format!("{value} is too large")))
}

/// A value as JSON text, for a column.
///
/// # Errors
/// If it cannot be written as JSON.
pub fn json<T: serde::Serialize>(value: &T) -> Result<SqlStorageValue, ApiError> {
    Ok(serde_json::to_string(value).map_err(|e| ApiError::internal(e.to_string()))?.into())
}
