//! Settling
