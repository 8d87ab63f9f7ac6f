"""Data as published or generated, before anyone has decided what is trained on and what is tested on."""
