//! One file for each family of dialects: how its models write calls, as data for the readers and for the grammar.

pub mod command;
pub mod deepseek;
pub mod functionary;
pub mod gemma;
pub mod glm4;
pub mod glm45;
pub mod granite;
pub mod harmony;
pub mod hermes;
pub mod kimi;
pub mod lfm2;
pub mod llama3;
pub mod minimax;
pub mod mistral;
pub mod nemotron;
pub mod qwen_coder;
pub mod seed;
