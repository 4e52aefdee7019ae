"""OpenAI's Responses API, told by chat completions: requests one way, answers the other."""
