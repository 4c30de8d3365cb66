"""Everything that can be killed is killed, cut, frozen or filled, and the books are exact to the cent at the end."""
