//! Rollback
